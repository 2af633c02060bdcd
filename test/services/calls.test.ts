import { local, LocalBus } from "../../src/pubsub/index.ts"
import { servicesContract } from "../contracts/services.ts"

servicesContract("on one node", { isOneNode: true, join: async (node) => local({ node }) })

let bus = new LocalBus()
servicesContract("between nodes of one process", {
  join: async (node) => {
    if (node === "caller") bus = new LocalBus()
    return local({ bus, node })
  },
})
