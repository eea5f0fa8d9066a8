/** A panel that a button opens; a click elsewhere or Escape closes it. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  readonly open: boolean;
  readonly button: ComponentChildren;
  readonly children: ComponentChildren;
  /** the side of the button to which the panel keeps */
  readonly side?: "left" | "right";
  onClose(): void;
}

export function Popover({ open, button, children, side = "left", onClose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) onClose();
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
    };
  }, [open, onClose]);
  const leave = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    onClose();
    box.current?.querySelector("button")?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it hears the keys of what stands in it
    <div class="popover" ref={box} onKeyDown={leave}>
      {button}
      {open && <div class={`popover-panel popover-${side}`}>{children}</div>}
    </div>
  );
}
