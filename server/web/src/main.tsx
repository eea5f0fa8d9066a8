import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/main.css";
import { App } from "./views/app";

render(<App />, document.getElementById("page") as HTMLElement);
