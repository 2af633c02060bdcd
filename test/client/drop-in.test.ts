/** What code for phoenix.js uses is there under its name. */
import { expect, it, onTestFinished } from "vitest"
// @ts-ignore -- phoenix ships no types.
import * as phoenix from "phoenix"
import * as ours from "../../src/client/index.ts"
import { FakeChannel } from "../support/fake-channel.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

/** The members of a class that applications may use: all but those that phoenix.js marks as private. */
const members = (of: object): string[] => Object.getOwnPropertyNames(of).filter((name) => name !== "constructor")

it("exports what phoenix.js exports, and the same classes but for Presence", () => {
  const { Presence, ...same } = phoenix as Record<string, unknown>
  expect(ours).toMatchObject(same)
  expect(ours.Presence).not.toBe(Presence)
})

it("Presence has the members of phoenix.js's, static ones too", () => {
  const { Presence } = phoenix as { Presence: new (channel: object) => object }
  const theirs = new Presence(new FakeChannel())
  const presence = new ours.Presence(new FakeChannel())
  // `caller` holds its callbacks, of which it has one of each kind.
  const names = [...members(Presence.prototype as object), ...Object.keys(theirs)].filter((name) => name !== "caller")
  for (const name of names) expect(presence).toHaveProperty(name)
  for (const name of ["syncState", "syncDiff", "list"]) expect(ours.Presence).toHaveProperty(name)
})

it("the joinRef and pendingDiffs of a Presence are those of phoenix.js's", () => {
  const channel = new FakeChannel("3")
  const presence = new ours.Presence(channel)
  const theirs = new phoenix.Presence(channel)
  const both = () => [presence, theirs].map(({ joinRef, pendingDiffs }) => [joinRef, pendingDiffs])
  const diff = { joins: { a: { metas: [{ phx_ref: "1" }] } }, leaves: {} }
  channel.diff(diff.joins)
  expect(both()).toEqual([
    [null, [diff]],
    [null, [diff]],
  ])
  channel.state({})
  expect(both()).toEqual([
    ["3", []],
    ["3", []],
  ])
})

it("the types of Socket, Channel and Push name only members that exist", () => {
  const { transport, latest } = scriptedTransport()
  const socket = new ours.Socket("ws://example.test/socket", { transport })
  socket.connect()
  onTestFinished(() => socket.disconnect())
  latest().open()
  const channel = socket.channel("rooms:1")
  const push = channel.join()
  const socketMembers: Record<keyof ours.Socket, true> = {
    channels: true,
    conn: true,
    transport: true,
    endPoint: true,
    vsn: true,
    timeout: true,
    heartbeatIntervalMs: true,
    params: true,
    logger: true,
    reconnectAfterMs: true,
    rejoinAfterMs: true,
    encode: true,
    decode: true,
    connect: true,
    disconnect: true,
    channel: true,
    remove: true,
    push: true,
    makeRef: true,
    connectionState: true,
    isConnected: true,
    onOpen: true,
    onClose: true,
    onError: true,
    onMessage: true,
    off: true,
    ping: true,
    sendHeartbeat: true,
    log: true,
    hasLogger: true,
    protocol: true,
    endPointURL: true,
    replaceTransport: true,
    getLongPollTransport: true,
  }
  const channelMembers: Record<keyof ours.Channel, true> = {
    topic: true,
    state: true,
    socket: true,
    params: true,
    timeout: true,
    joinedOnce: true,
    joinPush: true,
    bindings: true,
    pushBuffer: true,
    join: true,
    leave: true,
    rejoin: true,
    push: true,
    canPush: true,
    on: true,
    off: true,
    onClose: true,
    onError: true,
    joinRef: true,
    isClosed: true,
    isErrored: true,
    isJoined: true,
    isJoining: true,
    isLeaving: true,
    isMember: true,
    replyEventName: true,
    trigger: true,
    onMessage: true,
  }
  const pushMembers: Record<keyof ours.Push, true> = {
    channel: true,
    event: true,
    payload: true,
    timeout: true,
    sent: true,
    ref: true,
    receivedResp: true,
    receive: true,
    send: true,
    resend: true,
    cancelTimeout: true,
    trigger: true,
  }
  for (const name of Object.keys(socketMembers)) expect(name in socket, name).toBe(true)
  for (const name of Object.keys(channelMembers)) expect(name in channel, name).toBe(true)
  for (const name of Object.keys(pushMembers)) expect(name in push, name).toBe(true)
})
