// What the three servers are told, and what they answer, for the same three things: join, shout to all, echo.

/** A dialect is the path to connect to, the steps to be in a room (each with what its answer has in it), and two frames. */
export const dialects = {
  rollcall: {
    path: (user) => `/socket/websocket?vsn=2.0.0&user=${user}`,
    steps: (room) => [{ send: `["1","1",${JSON.stringify(room)},"phx_join",{}]`, until: '"phx_reply"' }],
    shout: (room, text) => `["1","2",${JSON.stringify(room)},"shout",{"text":"${text}"}]`,
    echo: (room, text) => `["1","2",${JSON.stringify(room)},"echo",{"text":"${text}"}]`,
  },
  /** The floor: it knows no rooms, everybody hears a message that begins with "s". In place of a join stands an echo. */
  ws: {
    path: () => "/",
    steps: (room) => [{ send: `e["1","1",${JSON.stringify(room)},"phx_join",{}]`, until: "phx_join" }],
    shout: (_, text) => `s{"text":"${text}"}`,
    echo: (_, text) => `e{"text":"${text}"}`,
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
