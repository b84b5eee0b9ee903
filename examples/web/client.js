// The client of the API: keeps the tokens, refreshes them, and turns errors into exceptions. It knows nothing of the page.

// The policy in index.html names the only host that the page can send requests to. That is where to change the address.
const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]').content;
const API = policy.match(/connect-src ([^\s;]+)/)[1];

// How long before its end an access token is replaced.
const MARGIN_MS = 30_000;

// The tokens are in localStorage, so that all tabs share them. The risk: every script of this origin can read them there, also
// one that an attacker gets into the page, and can use the session elsewhere. Hence the strict policy of the page, and no
// scripts of others. The alternative is a server of your own on this origin, which keeps the tokens and gives the browser a
// session cookie that no script can read (HttpOnly, Secure, SameSite=Strict).
const KEY = "tokens";

// Reads { access_token, refresh_token, refresh_at, user }; null if nobody is logged in.
function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

// Stores the tokens of a reply; null logs this browser out.
function save(tokens) {
  if (tokens === null) localStorage.removeItem(KEY);
  else {
    // The clock of this device may be wrong, so only the lifetime of the token counts, and not its end.
    const { exp, iat, sub } = JSON.parse(atob(tokens.access_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    const refresh_at = Date.now() + (exp - iat) * 1000 - MARGIN_MS;
    localStorage.setItem(KEY, JSON.stringify({ ...tokens, refresh_at, user: sub }));
  }
}

// Calls `listener` when another tab has stored tokens or removed them. (`key` is null when it has removed everything.)
export const onChange = (listener) =>
  addEventListener("storage", ({ key }) => (key === KEY || key === null) && listener());

// The id of the account that is logged in, or null.
export const user = () => load()?.user ?? null;

// An error reply, or no reply at all (status 0).
export class ApiError extends Error {
  constructor(status, detail, retryAfter = null) {
    super(typeof detail === "string" ? detail : "Some fields are not valid.");
    this.status = status;
    // When the next attempt makes sense, for 429 and 503.
    this.retryAt = retryAfter && new Date(Date.now() + retryAfter * 1000);
    // 422: the messages of each field.
    this.fields = new Map();
    for (const { loc, msg } of Array.isArray(detail) ? detail : []) {
      const field = String(loc.at(-1));
      this.fields.set(field, [...(this.fields.get(field) ?? []), msg]);
    }
  }

  static async of(reply) {
    const body = await reply.json().catch(() => ({}));
    return new ApiError(reply.status, body.detail ?? reply.statusText, Number(reply.headers.get("Retry-After")));
  }
}

async function send(method, path, body, accessToken) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (accessToken) headers.Authorization = `Bearer ${accessToken}`;
  try {
    const reply = await fetch(API + path, { method, headers, body: JSON.stringify(body) });
    // Reading it here makes a reply that breaks off the same as one that never came.
    const text = await reply.text();
    return new Response(text || null, reply);
  } catch {
    throw new ApiError(0, "The server cannot be reached.");
  }
}

// Runs `work` in one tab at a time. Each refresh token works once: of two tabs that send the same one, the second is refused,
// and later than 10 seconds it counts as stolen, which ends the session. Browsers offer locks only over HTTPS and on localhost;
// elsewhere requests take turns within their tab, and refresh_retry_seconds lets two tabs get the same pair.
let last = Promise.resolve();
const exclusive = (work) =>
  navigator.locks ? navigator.locks.request("refresh", work) : (last = last.then(work, work));

// Waits until another tab has stored something, for a second at most.
const stored = () =>
  new Promise((resolve) => {
    addEventListener("storage", resolve, { once: true });
    setTimeout(resolve, 1000);
  });

// Replaces tokens that have been refused or are about to expire.
const refresh = (old) =>
  exclusive(async () => {
    const isReplaced = () => load()?.refresh_token !== old.refresh_token;
    // While this tab waited for the lock, another one has refreshed, or logged out.
    if (isReplaced()) return current();
    const attempt = () => send("POST", "/auth/refresh", { refresh_token: old.refresh_token });
    // If the reply was lost, the token is used up. With refresh_retry_seconds, the same token gets the same pair again.
    const reply = await attempt().catch(attempt);
    if (reply.ok) {
      const tokens = await reply.json();
      // Nobody logged out meanwhile, nor logged in again: those tokens would be overwritten.
      if (!isReplaced()) save(tokens);
    } else if (reply.status !== 401) {
      throw await ApiError.of(reply);
    } else {
      // Another tab may have been faster. What it stores can arrive in this one after the lock.
      if (!isReplaced()) await stored();
      if (!isReplaced()) save(null);
    }
    return current();
  });

function current() {
  const tokens = load();
  if (tokens === null) throw new ApiError(401, "Your session has ended. Log in again.");
  return tokens;
}

// Sends a request with the access token; returns the JSON of the reply, null if it is empty.
export async function authorized(method, path, body) {
  let tokens = current();
  if (Date.now() >= tokens.refresh_at) {
    // A token whose refresh failed may still be valid: the reply will tell.
    tokens = await refresh(tokens).catch(() => current());
  }
  let reply = await send(method, path, body, tokens.access_token);
  if (reply.status === 401) {
    // It did nothing, so it can be sent again, once.
    tokens = await refresh(tokens);
    reply = await send(method, path, body, tokens.access_token);
    // Fresh tokens are refused as well: the account is gone.
    if (reply.status === 401 && load()?.access_token === tokens.access_token) save(null);
  }
  return result(reply);
}

// Sends a request without a token.
export const anonymous = async (method, path, body) => result(await send(method, path, body));

async function result(reply) {
  if (!reply.ok) throw await ApiError.of(reply);
  const text = await reply.text();
  return text ? JSON.parse(text) : null;
}

export async function logIn(email, password) {
  save(await anonymous("POST", "/auth/login", { email, password }));
}

// Ends the session, or all sessions of the account. This browser forgets the tokens even if the server cannot be reached.
export async function logOut(everywhere = false) {
  try {
    await authorized("POST", everywhere ? "/auth/logout-all" : "/auth/logout");
  } catch (error) {
    if (error.status !== 401) throw error;
  } finally {
    save(null);
  }
}

// Forgets the tokens, whose session the server has ended.
export const forget = () => save(null);
