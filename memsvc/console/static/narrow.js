// Whether the window is as narrow as a phone; the same width as in style.css.
import { useEffect, useState } from "./html.js";

const narrow = matchMedia("(max-width: 52rem)");

export function useNarrow() {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const follow = () => setNarrow(narrow.matches);
    narrow.addEventListener("change", follow);
    return () => narrow.removeEventListener("change", follow);
  }, []);
  return isNarrow;
}
