import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/main.css";
import { Page } from "./views/page";

render(<Page />, document.getElementById("page") as HTMLElement);
