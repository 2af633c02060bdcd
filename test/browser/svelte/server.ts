/** Renders the application as a server does. */
import { render } from "svelte/server"
import type { Shown } from "../../contracts/binding-app.ts"
import { createRecorder } from "../recorder.ts"
import App from "./App.svelte"

const rendered = (first: Shown) => render(App, { props: { first, recorder: createRecorder() } })

export const toText = (shown: Shown): string => rendered(shown).body

/** Svelte has no stream: the promise of it waits for what awaits. */
export const toStream = async (shown: Shown): Promise<string> => (await rendered(shown)).body
