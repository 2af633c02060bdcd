// The frames by which clients of the three servers do the same three things: join a room, broadcast ("shout"), and echo.

/** For each server: the path to connect to, the steps to join a room (each with a part of its reply), and two frames. */
export const protocols = {
  rollcall: {
    path: (user) => `/socket/websocket?vsn=2.0.0&user=${user}`,
    steps: (room) => [{ send: `["1","1",${JSON.stringify(room)},"phx_join",{}]`, until: '"phx_reply"' }],
    shout: (room, text) => `["1","2",${JSON.stringify(room)},"shout",{"text":"${text}"}]`,
    echo: (room, text) => `["1","2",${JSON.stringify(room)},"echo",{"text":"${text}"}]`,
  },
  /**
   * The baseline has no rooms: a message that begins with "s" goes to all clients. An echo takes the place of a join. An echo is as
   * long as one to Rollcall.
   */
  ws: {
    path: () => "/",
    steps: (room) => [{ send: `e["1","1",${JSON.stringify(room)},"phx_join",{}]`, until: "phx_join" }],
    shout: (_, text) => `s{"text":"${text}"}`,
    echo: (room, text) => `e["1","2",${JSON.stringify(room)},"echo",{"text":"${text}"}]`,
  },
  "socket.io": {
    path: () => "/socket.io/?EIO=4&transport=websocket",
    steps: (room) => [
      { send: "40", until: "40{" },
      { send: `420["join",${JSON.stringify(room)}]`, until: "430" },
    ],
    shout: (_, text) => `42["shout",{"text":"${text}"}]`,
    echo: (_, text) => `420["echo",{"text":"${text}"}]`,
  },
}
