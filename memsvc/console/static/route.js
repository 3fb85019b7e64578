// Where the visitor is, in the fragment of the address, which no browser sends to a server: #/memories?ns=user/ada
import { useEffect, useState } from "./html.js";

export function read() {
  const [view, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: view || "namespaces", params: Object.fromEntries(new URLSearchParams(query)) };
}

export function href(view, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given).toString().replaceAll("%2F", "/");
  return `#/${view}${query && "?"}${query}`;
}

export function go(view, params) {
  location.hash = href(view, params);
}

// Another address for the same view, without another step back.
export function amend(view, params) {
  history.replaceState(null, "", href(view, params));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const follow = () => setRoute(read());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
