/** The frame: asks for a token where one is needed, shows the screen that the address names, and passes on what happens. */
import { Api, UnauthorizedError } from './lib/api.js'
import { h, refill } from './lib/dom.js'
import { showLogin } from './login.js'
import { agents } from './screens/agents.js'
import { backends } from './screens/backends.js'
import { calls } from './screens/calls.js'
import { catalog } from './screens/catalog.js'
import { configuration } from './screens/configuration.js'
import { connect } from './screens/connect.js'
import { denied } from './screens/denied.js'
import { overview } from './screens/overview.js'
import { playground } from './screens/playground.js'
import { sessions } from './screens/sessions.js'

/**
 * A screen: its element, and what keeps it current.
 * @typedef {{
 *   element: HTMLElement,
 *   refresh?: () => Promise<void>,
 *   everyMs?: number,
 *   onEvents?: (kind: string, items: any[], skipped: number) => void,
 *   close?: () => void,
 * }} Screen
 * @typedef {{ api: Api, announce: (text: string) => void }} Context
 */

/** @type {[string, string, (context: Context) => Screen][]} */
const SCREENS = [
  ['overview', 'Overview', overview],
  ['backends', 'Backends', backends],
  ['catalog', 'Catalog', catalog],
  ['calls', 'Live calls', calls],
  ['agents', 'Agents', agents],
  ['denied', 'Denied', denied],
  ['sessions', 'Sessions', sessions],
  ['playground', 'Playground', playground],
  ['connect', 'Connect', connect],
  ['configuration', 'Configuration', configuration],
]

const api = new Api()
const [main, connection, logout, announcer, list] = [
  'main',
  'connection',
  'logout',
  'announcer',
  'screens',
].map((id) => /** @type {any} */ (document.getElementById(id)))

const announce = (text) => {
  announcer.textContent = text
}

/** @type {Screen | undefined} */
let current
let shownName = ''
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer
let following = new AbortController()

list.replaceChildren(
  ...SCREENS.map(([name, title]) => h('li', {}, h('a', { href: `#${name}` }, title))),
)

function show() {
  const wanted = location.hash.slice(1).split('/')[0]
  // The way past the navigation leads to the screen that is there.
  if (wanted === 'main' && current !== undefined) return
  const [name, title, screen] = SCREENS.find(([it]) => it === wanted) ?? SCREENS[0]
  leave()
  for (const link of list.querySelectorAll('a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  document.title = `${title} – mcp-junction`
  const made = screen({ api, announce })
  current = made
  refill(main, h('h1', {}, title), made.element)
  // Whoever came by the keyboard goes on from here; at the start the page's own beginning is where to be.
  if (shownName !== '' && shownName !== name) main.focus()
  shownName = name
  void refresh(made)
  if (made.everyMs) timer = setInterval(() => void refresh(made), made.everyMs)
}

function leave() {
  clearInterval(timer)
  current?.close?.()
  current = undefined
}

/** @param {Screen} screen */
async function refresh(screen) {
  try {
    await screen.refresh?.()
  } catch (error) {
    if (error instanceof UnauthorizedError) login('')
    else if (screen === current) setConnection(false)
  }
}

function setConnection(isConnected) {
  const text = isConnected ? '● live' : '○ not connected; trying again'
  if (connection.textContent !== text) connection.textContent = text
}

function hear({ kind, items = [], skipped = 0 }) {
  current?.onEvents?.(kind, items, skipped)
}

function connected(isConnected) {
  setConnection(isConnected)
  // What happened meanwhile was told to nobody.
  if (isConnected && current !== undefined) void refresh(current)
}

async function follow() {
  following.abort()
  following = new AbortController()
  const { signal } = following
  try {
    await api.follow(hear, connected, signal)
  } catch {
    login('')
  }
}

function login(problem) {
  following.abort()
  leave()
  list.hidden = true
  logout.hidden = true
  connection.textContent = ''
  document.title = 'Log in – mcp-junction'
  showLogin(main, problem, async (token) => {
    api.token = token
    await start()
  })
}

async function start() {
  const hadToken = api.token !== ''
  try {
    await api.get('status')
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) setConnection(false)
    else {
      api.token = ''
      return login(hadToken ? 'This is not the token.' : '')
    }
  }
  list.hidden = false
  logout.hidden = api.token === ''
  shownName = ''
  show()
  void follow()
}

logout.addEventListener('click', () => {
  api.token = ''
  login('')
})
addEventListener('hashchange', () => {
  if (!list.hidden) show()
})
void start()
