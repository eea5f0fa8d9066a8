/** Which screen the URL asks for, and what both have: the theme, the keys, the sheet of keys. */

import { useEffect, useState } from "preact/hooks";
import { Explorer } from "./app";
import { Comparison } from "./comparison";
import { Help } from "./help";
import { Icon } from "./icons";
import { usePageKeys } from "./keys";
import { Overview } from "./overview";
import { usePageState } from "./page_state";
import { useTheme } from "./theme";

export function Page() {
  const [state, navigate] = usePageState();
  const [theme, toggleTheme] = useTheme();
  const [help, setHelp] = useState(false);
  usePageKeys({ state, navigate, help: () => setHelp(true), theme: toggleTheme });
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
      ) : state.against !== "" ? (
        <Comparison {...{ state, navigate, theme, corner }} />
      ) : (
        <Explorer {...{ state, navigate, theme, corner }} />
      )}
      <Help open={help} onClose={() => setHelp(false)} />
    </>
  );
}
