import { createServices } from "../services/node-services.ts"
import type { Services, ServicesOptions } from "../services/services.ts"

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

  /** Drains and ends the services, if they were used. */
  async close(): Promise<void> {
    await this.#services?.close()
  }
}
