/** The flamegraph in the page, with the line that says where the keyboard's cursor stands. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { Flamegraph } from "../flamegraph/flamegraph";
import type { Listener, Scene } from "../flamegraph/scene";
import type { Difference } from "../lib/difference";
import { share, value } from "../lib/format";
import { ancestors, ROOT } from "../lib/tree";
import { nodeName } from "./breadcrumb";

interface Props {
  /** for screen readers, where there are several */
  readonly name?: string;
  /** where the flamegraph is handed out, for its picture */
  readonly graph?: { current: Flamegraph | null } | undefined;
  readonly scene: Scene;
  readonly listener: Listener;
}

export function FlamePanel({ name = "Flamegraph", scene, listener, graph: handed }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const graph = useRef<Flamegraph | null>(null);
  const latest = useRef(listener);
  latest.current = listener;
  useLayoutEffect(() => {
    const made = new Flamegraph(host.current as HTMLDivElement, {
      focus: (node) => latest.current.focus(node),
      select: (node) => latest.current.select(node),
      look: (view) => latest.current.look(view),
    });
    graph.current = made;
    if (handed) handed.current = made;
    return () => {
      if (handed) handed.current = null;
      made.destroy();
    };
  }, []);
  // Before the next event: fast keys must find the cursor where the last one put it.
  useLayoutEffect(() => graph.current?.show(scene), [scene]);
  return (
    <section class="flame-panel" aria-label={name}>
      <div class="flame-host" ref={host} />
      <SelectedLine scene={scene} />
      <SelectedPath scene={scene} />
    </section>
  );
}

function SelectedLine({ scene }: { scene: Scene }) {
  const { tree, selected } = scene;
  const path = ancestors(tree, selected).map((node) => nodeName(tree, node));
  return (
    <p class="selected" aria-live="polite">
      <span class="selected-path">
        <bdi>{path.join(" › ")}</bdi>
      </span>
      <span class="selected-numbers">
        {scene.difference ? compared(scene.difference, selected) : cost(scene)}
      </span>
    </p>
  );
}

function cost({ tree, selected, unit }: Scene): string {
  const [self, total] = [tree.self[selected], tree.total[selected]];
  return `self ${value(self, unit)} · total ${value(total, unit)} · ${share(total, tree.total[ROOT])}`;
}

const compared = ({ before, after, change }: Difference, node: number): string =>
  `${share(before[node], 1)} before · ${share(after[node], 1)} after · ${change[node]}`;

/** The same for who cannot see the canvas: each frame of the path with its cost. */
function SelectedPath({ scene }: { scene: Scene }) {
  const { tree, selected, unit, difference } = scene;
  const path = ancestors(tree, selected);
  return (
    <div class="unseen" role="tree" aria-label="Path of the selected frame">
      {path.map((node, i) => (
        <div
          key={node}
          role="treeitem"
          tabIndex={-1}
          aria-level={i + 1}
          aria-selected={node === selected}
          aria-expanded={node === selected ? undefined : true}
        >
          {nodeName(tree, node)},{" "}
          {difference
            ? compared(difference, node)
            : `total ${value(tree.total[node], unit)}, ${share(tree.total[node], tree.total[ROOT])}`}
        </div>
      ))}
    </div>
  );
}
