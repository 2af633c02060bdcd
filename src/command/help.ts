/** What `rollcall --help` prints. */
export const HELP = `rollcall: a server that shows who is here, for browsers, over the Phoenix Channels protocol

  rollcall                     rooms of any name, open to all who reach the port: to try it, and to develop
  rollcall handlers.js         your own sockets and channels

Where it listens
  --port <number>              for clients (default: the variable PORT, or 4000); 0 takes a free port
  --host <address>             of the network interface (default: 127.0.0.1, which only this machine reaches);
                               0.0.0.0 lets other machines connect, for instance in a container
  --origin <origin>            a web page that may connect: https://app.example, //*.app.example, or "*" for all;
                               repeat it for several (default: pages of the host that they connect to)
  --no-page                    no page for trying at /

More processes, more machines
  --workers <number>           worker processes that serve the port, one for each core for instance
  --pubsub <url>               connects this node with others: redis://host:6379, rediss://…, nats://host:4222;
                               repeat it for several servers of one bus
  --operations [[host:]port]   /metrics for Prometheus, /health and /ready
                               (default: 127.0.0.1, and the port after that of the clients)

  --help, -h                   this text
  --version, -v                the version

Variables
  ROLLCALL_SECRET              32 bytes or more, the same on all nodes. Clients then need a token (a JWT, HS256) that is
                               signed with it; its "sub" names the user. There is no option for it, because other users
                               of a machine can read the arguments of its processes.
  ROLLCALL_PUBSUB              like --pubsub, for a URL with a password
  PORT                         like --port

A file with handlers (an ES module, or CommonJS) exports a function that gets the server:

  import { relay } from "rollcall/server"
  export default (server) => {
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      allow: ["name", "color"],
      presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
      on: { cursor: relay() },
    })
  }

Clients connect to /socket, unless the file adds sockets of its own. The file may also export \`options\` for createServer, and
\`request\`, which answers other HTTP requests.

SIGTERM, SIGHUP and Ctrl-C close the server: its clients connect to other nodes. A second signal ends it at once.
It exits with 2 if an argument or a variable is wrong, and with 1 if it cannot start.

More: docs/command.md in the package
`
