/** What is shown of the selection, and how. */

import { useMemo, useState } from "preact/hooks";
import { EXPORT_FORMATS, exportAddress, jsonAddress, type Shown } from "../api";
import type { Flamegraph } from "../flamegraph/flamegraph";
import { group, groupColour, type Theme } from "../lib/colour";
import type { FrameTree } from "../lib/tree";
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
  readonly tree: FrameTree | null;
  readonly theme: Theme;
  readonly navigate: Navigate;
}

const COLOURS = { kind: "Kind", package: "Package", binary: "Binary", share: "Share" };

export function Look({ state, tree, theme, navigate }: LookProps) {
  const { orientation, colour, palette, order, search } = state;
  const [open, setOpen] = useState(false);
  const other = orientation === "icicle" ? "flame" : "icicle";
  return (
    <div class="look">
      {tree && search === "" && colour !== "share" && <Legend {...{ tree, state, theme }} />}
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

const LEGEND = 6;

interface LegendProps {
  readonly tree: FrameTree;
  readonly state: PageState;
  readonly theme: Theme;
}

function Legend({ tree, state: { colour, palette }, theme }: LegendProps) {
  const names = useMemo(() => groupsBySelf(tree, colour), [tree, colour]);
  return (
    <ul class="legend" aria-label="Colours">
      {names.slice(0, LEGEND).map((name) => (
        <li key={name}>
          <span class="swatch" style={{ background: groupColour(name, theme, palette) }} />
          {name}
        </li>
      ))}
      {names.length > LEGEND && <li>+{names.length - LEGEND}</li>}
    </ul>
  );
}

/** Groups of frames, the busiest first. */
function groupsBySelf(tree: FrameTree, colour: PageState["colour"]): string[] {
  const self = new Float64Array(tree.frames.length);
  for (let node = 1; node < tree.count; node++) self[tree.frame[node]] += tree.self[node];
  const sums = new Map<string, number>();
  tree.frames.forEach((frame, i) => {
    const name = group(frame, colour);
    sums.set(name, (sums.get(name) ?? 0) + self[i]);
  });
  return [...sums].sort((a, b) => b[1] - a[1]).map(([name]) => name);
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
