/** The entry of the page. */
import { createPlace } from "./places.ts"

const element = document.querySelector("#app")!
createPlace(location.search.slice(1), element.hasChildNodes()).mount(element)
