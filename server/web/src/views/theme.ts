/** Light or dark: as the system says, until the user says otherwise. */

import { useEffect, useState } from "preact/hooks";
import type { Theme } from "../lib/colour";

const KEY = "profiler-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** Storage may be forbidden; then the choice lasts as long as the page. */
function stored(): Theme | null {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : null;
  } catch {
    return null;
  }
}

function store(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    return;
  }
}

export function useTheme(): [Theme, () => void] {
  const [chosen, setChosen] = useState(stored);
  const [dark, setDark] = useState(system.matches);
  useEffect(() => {
    const follow = () => setDark(system.matches);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  const theme = chosen ?? (dark ? "dark" : "light");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const toggle = () => {
    const other = theme === "dark" ? "light" : "dark";
    store(other);
    setChosen(other);
  };
  return [theme, toggle];
}
