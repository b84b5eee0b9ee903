// The page: shows one section at a time, and lets its forms and buttons call the API.
import { ApiError, anonymous, authorized, forget, logIn, logOut, onChange, user } from "./client.js";

// Messages link to this page with ?page=reset&token=... or ?page=verify&token=.... Whoever sees the token can use it, so it
// leaves the address before anything else happens: it must not stay in the history, in a bookmark or on a screenshot.
const link = new URLSearchParams(location.search);
history.replaceState(null, "", location.pathname + location.hash);
let token = link.get("token");
let page = token && ["reset", "verify"].find((id) => id === link.get("page"));

const element = (id) => document.getElementById(id);
const sections = [...document.querySelectorAll("main > section")];
const [notice, alarm] = document.querySelectorAll("#notice p");

// The id of the account that the page shows; null if it shows none.
let shown = null;

// Shows what is to be shown now: the section of the link, the account, or the section in the fragment of the address.
async function show() {
  const fragment = ["register", "forgot", "resend"].find((id) => location.hash === `#${id}`);
  const id = page || (user() ? "account" : fragment || "login");
  const section = element(id);
  if (section.hidden) {
    for (const other of sections) other.hidden = other !== section;
    for (const form of section.querySelectorAll("form")) clear(form, true);
    const title = section.querySelector("h1");
    document.title = title.textContent;
    title.focus();
  }
  element("log-out").hidden = !user();
  // The page does not keep what it has shown of another account.
  if (shown !== user()) for (const id of ["email", "since", "sessions"]) element(id).replaceChildren();
  shown = user();
  if (id === "account") await showAccount();
}

async function showAccount() {
  const [account, sessions] = await Promise.all([authorized("GET", "/users/me"), authorized("GET", "/users/me/sessions")]);
  element("email").textContent = account.email;
  for (const input of document.querySelectorAll(".username")) input.value = account.email;
  element("verified").textContent = account.email_verified ? "(verified)" : "(not verified)";
  element("since").textContent = new Date(account.created_at).toLocaleDateString();
  element("resend-own").hidden = account.email_verified;
  element("sessions").replaceChildren(...sessions.map(sessionItem));
}

// Text from a client, such as the user agent, is only ever set as text: it may look like HTML.
function sessionItem({ id, user_agent, ip_address, last_used_at, current }) {
  const item = document.createElement("li");
  const text = document.createElement("div");
  const used = `${ip_address ?? "unknown address"}, last refreshed ${new Date(last_used_at).toLocaleString()}`;
  for (const line of [`${browserName(user_agent)}${current ? " (this session)" : ""}`, used]) {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    text.append(paragraph);
  }
  text.title = user_agent ?? "";
  item.append(text);
  if (current) return item;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "End";
  button.setAttribute("aria-label", `End the session ${used}`);
  button.addEventListener("click", () => {
    // This button is about to disappear, and the focus should not.
    element("reload").focus();
    run([button], async () => {
      await authorized("DELETE", `/users/me/sessions/${id}`);
      return "The session has ended.";
    });
  });
  item.append(button);
  return item;
}

function browserName(userAgent) {
  const names = { "Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari" };
  const part = Object.keys(names).find((part) => userAgent?.includes(part));
  return part ? names[part] : (userAgent?.slice(0, 40) ?? "Unknown program");
}

// What each form does with its fields; returns what to tell the user.
const forms = {
  async login({ email, password }) {
    await logIn(email, password);
    return "You are logged in.";
  },
  async register({ email, password }) {
    await anonymous("POST", "/auth/register", { email, password });
    leave();
    return "The account is created. If you get a message, open its link; then log in.";
  },
  async forgot({ email }) {
    return (await anonymous("POST", "/auth/password/forgot", { email })).detail;
  },
  async resend({ email }) {
    return (await anonymous("POST", "/auth/email/verification", { email })).detail;
  },
  async reset({ new_password }) {
    await anonymous("POST", "/auth/password/reset", { token, new_password });
    leave();
    // All sessions have ended, also that of this browser.
    forget();
    return "The password is set. Log in with it.";
  },
  async verify() {
    await anonymous("POST", "/auth/email/verify", { token });
    leave();
    return user() ? "The address is verified." : "The address is verified. You can log in.";
  },
  async "change-email"(fields) {
    // With email_verification it changes later, as the reply says.
    return (await authorized("PATCH", "/users/me", fields)).detail ?? "The address is changed.";
  },
  async "change-password"(fields) {
    await authorized("POST", "/users/me/password", fields);
    return "The password is changed, and all other sessions have ended.";
  },
  async delete(fields) {
    await authorized("DELETE", "/users/me", fields);
    forget();
    return "The account is deleted.";
  },
};

const buttons = {
  "log-out": async () => {
    await logOut();
    return "You are logged out.";
  },
  "log-out-everywhere": async () => {
    await logOut(true);
    return "You are logged out everywhere.";
  },
  "resend-own": async () => (await authorized("POST", "/users/me/email/verification")).detail,
  // Nothing: after each action the page is shown anew.
  reload: async () => "",
};

// Leaves the section of a link or of the fragment, for the login or the account.
function leave() {
  token = page = null;
  history.replaceState(null, "", location.pathname);
}

// Runs an action with its buttons disabled, so that nothing is sent twice, and reports how it ended.
async function run(disabled, action, form) {
  const focused = document.activeElement;
  for (const button of disabled) button.disabled = true;
  notice.textContent = alarm.textContent = "";
  try {
    const message = await action();
    await show();
    notice.textContent = message;
  } catch (error) {
    await fail(error, form);
  } finally {
    for (const button of disabled) button.disabled = false;
    // A button that is disabled loses the focus.
    if (document.activeElement === document.body) focused?.focus();
  }
}

// Reports an error, after which the user may be logged out.
async function fail(error, form) {
  if (shown !== user()) await show().catch(() => {});
  report(error, form);
}

function report(error, form) {
  const { message, retryAt, fields = new Map() } = error;
  alarm.textContent = retryAt ? `${message} Next attempt: ${retryAt.toLocaleTimeString()}.` : message;
  // A fault of this page.
  if (!(error instanceof ApiError)) console.error(error);
  for (const [name, messages] of fields) {
    const input = form?.elements[name];
    if (!input) {
      alarm.textContent += ` ${name}: ${messages.join(". ")}.`;
      continue;
    }
    const fault = document.createElement("p");
    fault.className = "fault";
    fault.id = `${form.closest("section").id}-${form.id}-${name}-fault`;
    fault.textContent = messages.join(". ");
    input.closest("label").after(fault);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", fault.id);
  }
  form?.querySelector("[aria-invalid]")?.focus();
}

// Removes the faults of a form, and what was typed in if `values`.
function clear(form, values = false) {
  if (values) form.reset();
  for (const fault of form.querySelectorAll(".fault")) fault.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
}

for (const form of document.forms) {
  const action = forms[form.id || form.closest("section").id];
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clear(form);
    run(
      form.querySelectorAll("button"),
      async () => {
        const message = await action(Object.fromEntries(new FormData(form)));
        form.reset();
        return message;
      },
      form,
    );
  });
}
for (const [id, action] of Object.entries(buttons)) {
  element(id).addEventListener("click", () => run([element(id)], action));
}

addEventListener("hashchange", () => {
  token = page = null;
  notice.textContent = alarm.textContent = "";
  show().catch(fail);
});
// Another tab has logged in or out.
onChange(() => shown !== user() && show().catch(fail));
show().catch(fail);
