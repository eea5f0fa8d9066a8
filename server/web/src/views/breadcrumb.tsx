/** The way from the root to the focus; each step leads back there. It keeps its place unzoomed. */

import { useEffect, useRef } from "preact/hooks";
import { share } from "../lib/format";
import { ancestors, type FrameTree, frameOf, ROOT } from "../lib/tree";

interface Props {
  readonly tree: FrameTree;
  readonly focus: number;
  onFocus(node: number): void;
}

export const nodeName = (tree: FrameTree, node: number): string =>
  frameOf(tree, node)?.function ?? "total";

export function Breadcrumb({ tree, focus, onFocus }: Props) {
  const list = useRef<HTMLOListElement>(null);
  // a new focus stands at the end
  useEffect(() => {
    if (list.current) list.current.scrollLeft = list.current.scrollWidth;
  }, [focus]);
  return (
    <nav class="breadcrumb" aria-label="Zoom">
      <ol ref={list}>
        {ancestors(tree, focus).map((node) => (
          <li key={node}>
            {node === focus ? (
              <span class="here" aria-current="location">
                {nodeName(tree, node)}
              </span>
            ) : (
              <button type="button" onClick={() => onFocus(node)}>
                {nodeName(tree, node)}
              </button>
            )}
          </li>
        ))}
      </ol>
      {focus === ROOT ? (
        <span class="breadcrumb-share">Click a frame to zoom</span>
      ) : (
        <>
          <span class="breadcrumb-share">
            {share(tree.total[focus], tree.total[ROOT])} of the total
          </span>
          <button type="button" class="small" onClick={() => onFocus(ROOT)}>
            Reset <kbd>Esc</kbd>
          </button>
        </>
      )}
    </nav>
  );
}
