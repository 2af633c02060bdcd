import type { Connection } from "../client/connection.ts"
import { systemClock } from "../timers.ts"
import { dot } from "./rows.ts"
import { element, setText } from "./dom.ts"
import { checkLimits, observe, type Observation, type ObservationOptions } from "./observation.ts"
import { createPanel, type Panel } from "./panel.ts"
import { STYLE } from "./style.ts"

const NAME = "rollcall-inspector"

/** Where there are no elements, as on a server that renders a page, the class can be imported, too. */
const platform: { readonly HTMLElement?: typeof HTMLElement } = globalThis
const Base: typeof HTMLElement = platform.HTMLElement ?? (Object as unknown as typeof HTMLElement)

/**
 * The element `<rollcall-inspector>`: shows the rooms, users and messages of a connection, and goes back in time over them.
 *
 * Its attributes: `open`, `inline` (in the page's flow, always open) and `theme` (`light`, `dark`; by default that of the system).
 * While it is in a document and has a connection, it records; afterwards nothing of it remains.
 */
export class RollcallInspector extends Base {
  static readonly observedAttributes: readonly string[] = ["open", "inline"]

  #connection: Connection | undefined
  #options: ObservationOptions = {}
  #observation: Observation | undefined
  #panel: Panel | undefined
  #undo: (() => void) | undefined
  #frame = 0
  readonly #root = globalThis.document && this.attachShadow({ mode: "open" })
  readonly #dot = globalThis.document && dot("")
  readonly #count = globalThis.document && element("span", { class: "badge" })
  #pill: HTMLButtonElement | undefined

  /** The connection that is inspected. */
  get connection(): Connection | undefined {
    return this.#connection
  }
  set connection(connection: Connection | undefined) {
    if (connection === this.#connection) return
    this.#stop()
    this.#connection = connection
    this.#start()
  }

  /** What is kept and shown. Set it before the connection. */
  get options(): ObservationOptions {
    return this.#options
  }
  set options(options: ObservationOptions) {
    // Here, because the browser only reports what is thrown when an element comes into a document.
    checkLimits(options)
    this.#options = options
    this.#stop()
    this.#start()
  }

  /** Whether the panel is shown, and not only the button. */
  get open(): boolean {
    return this.hasAttribute("open")
  }
  set open(isOpen: boolean) {
    this.toggleAttribute("open", isOpen)
  }

  /** Called by the browser. */
  connectedCallback(): void {
    if (!this.#pill) {
      const style = new CSSStyleSheet()
      style.replaceSync(STYLE)
      this.#root.adoptedStyleSheets = [style]
      const hint = element("span", { class: "hidden" }, " users. Open the inspector")
      this.#pill = element(
        "button",
        { type: "button", class: "pill", "aria-expanded": "false" },
        this.#dot,
        "Rollcall",
        this.#count,
        hint,
      )
      this.#pill.addEventListener("click", () => {
        this.open = true
        this.#panel?.focus()
      })
    }
    this.#start()
  }

  /** Called by the browser. */
  disconnectedCallback(): void {
    // An element that is moved is in a document again before this runs, and keeps its timeline.
    queueMicrotask(() => {
      if (!this.isConnected) this.#stop()
    })
  }

  /** Called by the browser. */
  attributeChangedCallback(): void {
    this.#show()
  }

  #start(): void {
    if (!this.isConnected || !this.#connection || this.#observation) return
    this.#observation = observe(this.#connection, this.#options)
    this.#undo = this.#observation.onChange(() => {
      this.#frame ||= requestAnimationFrame(() => this.#drawPill())
    })
    this.#show()
  }

  #stop(): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    this.#undo?.()
    this.#panel?.stop()
    this.#observation?.stop()
    this.#panel = this.#observation = this.#undo = undefined
    this.#root?.replaceChildren()
  }

  #show(): void {
    const observation = this.#observation
    if (!observation || !this.#pill) return
    const isInline = this.hasAttribute("inline")
    if (!this.open && !isInline) {
      this.#panel?.stop()
      this.#panel = undefined
      this.#root.replaceChildren(this.#pill)
      this.#drawPill()
    } else if (!this.#panel) {
      const close = (): void => {
        this.open = false
        this.#pill?.focus()
      }
      this.#panel = createPanel(observation, this.#options.timers ?? systemClock, isInline ? undefined : close)
      this.#root.replaceChildren(this.#panel.root)
    }
  }

  #drawPill(): void {
    this.#frame = 0
    const { rooms = [], status = "idle" } = this.#connection ?? {}
    this.#dot.dataset["is"] = status
    setText(this.#count, String(rooms.reduce((sum, { size }) => sum + size, 0)))
  }
}

/** Registers the element `<rollcall-inspector>`. A further call, and one where there are no elements, does nothing. */
export function defineInspector(): void {
  const elements = globalThis.customElements as CustomElementRegistry | undefined
  if (elements && !elements.get(NAME)) elements.define(NAME, RollcallInspector)
}

/** How `inspect` shows the inspector. */
export interface InspectOptions extends ObservationOptions {
  /** Whether it begins opened. Default false: a small button. */
  readonly open?: boolean | undefined
  /** Default: that of the system. */
  readonly theme?: "light" | "dark" | undefined
  /** Where it is added. Default: the page's body. */
  readonly parent?: Node | undefined
  /** Whether it is part of the page's flow, and always open. Default false. */
  readonly inline?: boolean | undefined
}

/**
 * Shows an inspector of a connection. `remove()` of the element ends it.
 *
 * ```ts
 * const { inspect } = await import("rollcall/inspector")
 * inspect(connection, { redact: (name, value) => (name === "email" ? "…" : value) })
 * ```
 *
 * @throws ConfigError for a limit that is no number from 1
 */
export function inspect(connection: Connection, options: InspectOptions = {}): RollcallInspector {
  const { open = false, theme, parent = document.body, inline = false, ...kept } = options
  defineInspector()
  const inspector = document.createElement(NAME) as RollcallInspector
  inspector.options = kept
  inspector.connection = connection
  inspector.open = open
  inspector.toggleAttribute("inline", inline)
  if (theme) inspector.setAttribute("theme", theme)
  parent.appendChild(inspector)
  return inspector
}
