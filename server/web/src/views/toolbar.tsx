/** What is shown of the selection, and how. */

import { useState } from "preact/hooks";
import type { Shown } from "../answers";
import { EXPORT_FORMATS, exportAddress, jsonAddress } from "../api";
import type { Flamegraph } from "../flamegraph/flamegraph";
import { COLOURINGS, type PageState, TABS } from "../lib/url";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";
import { Popover } from "./popover";

const TAB_NAMES = { both: "Both", flamegraph: "Flamegraph", table: "Table", sandwich: "Sandwich" };

export function Tabs({ tab, navigate }: { tab: PageState["tab"]; navigate: Navigate }) {
  return (
    <fieldset class="segments tabs" aria-label="View">
      {TABS.map((each) => (
        <button
          key={each}
          type="button"
          class={`tab-${each}`}
          aria-pressed={tab === each}
          onClick={() => navigate({ tab: each })}
        >
          {TAB_NAMES[each]}
        </button>
      ))}
    </fieldset>
  );
}

interface LookProps {
  readonly state: PageState;
  readonly navigate: Navigate;
}

const COLOURS = { kind: "Kind", package: "Package", binary: "Binary", share: "Share" };

export function Look({ state, navigate }: LookProps) {
  const { orientation, colour, palette, order } = state;
  const [open, setOpen] = useState(false);
  const other = orientation === "icicle" ? "flame" : "icicle";
  return (
    <div class="look">
      <Popover
        open={open}
        side="right"
        onClose={() => setOpen(false)}
        button={
          <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
            Colours: {COLOURS[colour]} <Icon name="down" />
          </button>
        }
      >
        <div class="transform">
          <label>
            <span>Colour by</span>
            <select
              value={colour}
              onChange={({ currentTarget: { value } }) =>
                navigate({ colour: value as PageState["colour"] }, "replace")
              }
            >
              {COLOURINGS.map((each) => (
                <option key={each} value={each}>
                  {COLOURS[each]}
                </option>
              ))}
            </select>
          </label>
          <label>
            <span>Order</span>
            <select
              value={order}
              onChange={({ currentTarget: { value } }) =>
                navigate({ order: value as PageState["order"] }, "replace")
              }
            >
              <option value="size">Largest first</option>
              <option value="name">By name</option>
            </select>
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={palette === "safe"}
              onChange={({ currentTarget: { checked } }) =>
                navigate({ palette: checked ? "safe" : "usual" }, "replace")
              }
            />
            Without red and green
          </label>
        </div>
      </Popover>
      <button
        type="button"
        aria-pressed={orientation === "flame"}
        title={other === "flame" ? "Root at the bottom" : "Root on top"}
        onClick={() => navigate({ orientation: other }, "replace")}
      >
        <Icon name="flip" /> Flame
      </button>
    </div>
  );
}

interface ExportProps {
  readonly shown: Shown | null;
  readonly graph: { readonly current: Flamegraph | null };
}

export function Export({ shown, graph }: ExportProps) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  const files = shown
    ? [
        // The server names those files; "" leaves it to that.
        ...EXPORT_FORMATS.map((name) => ({ name, address: exportAddress(shown, name), file: "" })),
        { name: "json", address: jsonAddress(shown), file: "flamegraph.json" },
      ]
    : [];
  return (
    <Popover
      open={open}
      side="right"
      onClose={close}
      button={
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="download" /> Export
        </button>
      }
    >
      <ul class="menu">
        {files.map(({ name, address, file }) => (
          <li key={name}>
            <a href={address} download={file} onClick={close}>
              {name}
            </a>
          </li>
        ))}
        {graph.current && (
          <li>
            <button
              type="button"
              onClick={() => {
                close();
                savePicture(graph.current);
              }}
            >
              png
            </button>
          </li>
        )}
      </ul>
    </Popover>
  );
}

async function savePicture(graph: Flamegraph | null): Promise<void> {
  if (!graph) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await graph.picture());
  link.download = "flamegraph.png";
  link.click();
  URL.revokeObjectURL(link.href);
}
