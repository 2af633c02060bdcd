import { createServices } from "../services/node-services.ts"
import type { Services, ServicesOptions, ServicesStats } from "../services/services.ts"

/** The services of a server. They are created when the program first uses them: a server without services pays nothing. */
export class OwnServices {
  readonly #options: ServicesOptions
  #services: Services | undefined

  constructor(options: ServicesOptions) {
    this.#options = options
  }

  get(): Services {
    this.#services ??= createServices(this.#options)
    return this.#services
  }

  /** Returns what the services have done; `undefined` if they were not used. */
  stats(): ServicesStats | undefined {
    return this.#services?.stats()
  }

  /** Drains and ends the services, if they were used. */
  async close(): Promise<void> {
    await this.#services?.close()
  }
}
