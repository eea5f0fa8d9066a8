/** Which screen the URL asks for, and what both have: the theme, the keys, the sheet of keys. */

import { useEffect, useState } from "preact/hooks";
import { Explorer } from "./app";
import { Help } from "./help";
import { Icon } from "./icons";
import { Overview } from "./overview";
import { usePageState } from "./page_state";
import { useTheme } from "./theme";

export function Page() {
  const [state, navigate] = usePageState();
  const [theme, toggleTheme] = useTheme();
  const [help, setHelp] = useState(false);
  usePageKeys(() => setHelp(true));
  useEffect(() => {
    document.title = state.query ? `${state.query} · profiler` : "profiler";
  }, [state.query]);
  const corner = (
    <div class="corner">
      <button type="button" class="ghost" aria-label="Light or dark" onClick={toggleTheme}>
        <Icon name={theme === "dark" ? "sun" : "moon"} />
      </button>
      <button type="button" class="ghost" aria-label="Help" onClick={() => setHelp(true)}>
        <Icon name="help" />
      </button>
    </div>
  );
  return (
    <>
      {state.query === "" ? (
        <Overview {...{ state, navigate, theme, corner }} />
      ) : (
        <Explorer {...{ state, navigate, theme, corner }} />
      )}
      <Help open={help} onClose={() => setHelp(false)} />
    </>
  );
}

/** "/" and "?" work wherever nothing is being typed. */
function usePageKeys(onHelp: () => void): void {
  useEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if ((event.target as Element).closest?.("input, select, textarea, dialog[open]")) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "?") onHelp();
      else if (event.key === "/") document.getElementById("search")?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", hear);
    return () => removeEventListener("keydown", hear);
  }, []);
}
