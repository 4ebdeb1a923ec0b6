// What clients of the soak do, and what each of them must see: the mark of its own call, and nothing of another's.
import { setTimeout as sleep } from 'node:timers/promises'
import { Violation } from './client.mjs'

/** Of a target that was taken away, killed or started, errors are taken for so long. */
const EXCUSED_MS = 15_000
/** Longer than calls may take, and those before them. */
const PATIENCE_MS = 40_000
const HTTP = ['alpha', 'beta', 'gamma', 'guest']
/** One of so many sessions has a child process of its own. */
const WITH_CHILD = 250

const pick = (of) => of[Math.floor(Math.random() * of.length)]

export class Operations {
  answers = 0
  #clients
  #fail
  #counts = new Map()
  #excused = new Map()
  #busy = new Map()
  /** URIs by the client that follows them. */
  #followed = new WeakMap()
  #running = 0
  /** @type {Promise<void> | undefined} */
  #paused = undefined
  #resume = () => undefined
  #lastMark = 0
  #since = { answers: 0, at: performance.now() }

  constructor(clients, fail) {
    this.#clients = clients
    this.#fail = fail
  }

  /** Begins nothing more, and resolves when nothing is under way. */
  async pause() {
    this.#paused = new Promise((resolve) => (this.#resume = resolve))
    while (this.#running > 0) await sleep(20)
  }

  resume() {
    this.#paused = undefined
    this.#resume()
  }

  async beside(act) {
    await this.#paused
    this.#running++
    try {
      return await act()
    } finally {
      this.#running--
    }
  }

  /** Does something as some client. */
  next() {
    return this.beside(async () => {
      const index = Math.floor(Math.random() * this.#clients.length)
      const client = this.#clients[index]
      if (client === undefined) return
      const [kind, target] = this.#plan(client, index)
      this.#busy.set(client, (this.#busy.get(client) ?? 0) + 1)
      try {
        await withinPatience(this.#act(kind, client, target))
      } catch (error) {
        this.#fail(`${kind} at ${target} (${client.era} client): ${error.message}`)
      } finally {
        const left = this.#busy.get(client) - 1
        if (left > 0) this.#busy.set(client, left)
        else this.#busy.delete(client)
      }
    })
  }

  isBusy(client) {
    return this.#busy.has(client)
  }

  idleClient() {
    const client = pick(this.#clients)
    return client === undefined || this.isBusy(client) ? undefined : client
  }

  excuse(target, ms = EXCUSED_MS) {
    this.#excused.set(target, performance.now() + ms)
  }

  count(what) {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }

  /** A message on a general stream of a client's. */
  hear(client, { method, params, result }) {
    const isOwn =
      method === 'notifications/tools/list_changed' ||
      method === 'notifications/resources/list_changed' ||
      method === 'notifications/subscriptions/acknowledged' ||
      (method === 'notifications/resources/updated' && this.#followed.get(client)?.has(params.uri))
    if (result === undefined && !isOwn) {
      this.#fail(`on a general stream: ${JSON.stringify({ method, params }).slice(0, 200)}`)
    }
    this.count(`heard ${method ?? 'the end of a stream'}`)
  }

  summary() {
    const now = performance.now()
    const rate = (1_000 * (this.answers - this.#since.answers)) / (now - this.#since.at)
    this.#since = { answers: this.answers, at: now }
    return `${this.answers} answers, ${rate.toFixed(0)}/s`
  }

  report() {
    const lines = [...this.#counts].toSorted(([a], [b]) => a.localeCompare(b))
    return lines.map(([what, count]) => `  ${String(count).padStart(7)}  ${what}`).join('\n')
  }

  #plan(client, index) {
    const dice = Math.random()
    // Each calls two, so that soon all have called all that they ever call.
    const http = [HTTP[index % 4], HTTP[(index + 1 + (index >> 2)) % 4]]
    if (dice < 0.03) return ['list', 'all']
    if (dice < 0.06 && client.era === 'legacy') return ['follow', pick(http)]
    if (dice < 0.1) return ['cancel', pick(http)]
    if (dice < 0.16 && client.capabilities.elicitation !== undefined) {
      return ['ask', client.era === 'legacy' ? pick(http) : 'gamma']
    }
    if (dice < 0.2) return ['large', pick(http)]
    if (dice < 0.22) return ['unread', pick(http)]
    if (dice < 0.35) return ['steps', pick(http)]
    if (dice < 0.45) return ['echo', 'shared']
    if (client.era === 'legacy' && index % WITH_CHILD === 0) return ['echo', 'own']
    return ['mark', pick(http)]
  }

  async #act(kind, client, target) {
    const mark = `m${++this.#lastMark}.`
    switch (kind) {
      case 'list':
        return this.#list(client)
      case 'follow':
        return this.#follow(client, target)
      case 'cancel':
        return this.#cancel(client, target, mark)
      case 'ask':
        return this.#ask(client, target, mark)
      case 'unread':
        return this.#call(client, target, 'large', mark, { onResponse: (it) => unread(it) })
      case 'steps':
        return this.#steps(client, target, mark)
      default:
        return this.#call(client, target, kind, mark)
    }
  }

  async #call(client, target, tool, mark, given = {}, more = {}) {
    const params = { name: `${target}__${tool}`, arguments: { mark, message: mark }, ...more }
    const answer = await client.request('tools/call', params, given)
    this.#judge(answer, target, tool, mark)
    return answer.result
  }

  #judge({ result, error }, target, tool, mark, word = '') {
    if (error !== undefined) return this.#judgeError(error, target, tool)
    const text = result.content?.[0]?.text ?? ''
    const wanted = tool === 'echo' ? mark : `${target}|${mark}|${word}`
    if (!text.startsWith(wanted) || result.isError === true) {
      throw new Violation(`expected ${wanted}, got ${JSON.stringify(result).slice(0, 200)}`)
    }
    this.answers++
    this.count(`answers to ${tool}`)
  }

  #judgeError(error, target, tool) {
    if (!(this.#excused.get(target) > performance.now())) {
      throw new Violation(`${tool}: ${JSON.stringify(error)}`)
    }
    this.count(`errors of ${target} while it was away`)
  }

  async #list(client) {
    const { result, error } = await client.request('tools/list', {})
    const names = result?.tools?.map(({ name }) => name) ?? []
    const strange = names.find((it) => !/^(alpha|beta|gamma|guest|shared|own)__\w+$/.test(it))
    if (strange !== undefined || names.length === 0) {
      throw new Violation(`a list of ${strange ?? JSON.stringify(error)}`)
    }
    this.count('lists')
  }

  async #follow(client, target) {
    const uri = `soak://${target}`
    const followed = this.#followed.get(client) ?? new Set()
    this.#followed.set(client, followed)
    const isFollowed = followed.has(uri)
    // It may be told of before the answer has come, and after it was given up.
    followed.add(uri)
    const method = isFollowed ? 'resources/unsubscribe' : 'resources/subscribe'
    const { error } = await client.request(method, { uri })
    if (error !== undefined) return this.#judgeError(error, target, method)
    this.count(method)
  }

  async #cancel(client, target, mark) {
    const params = { name: `${target}__slow`, arguments: { mark, ms: 400 } }
    const id = `cancelled ${mark}`
    if (client.era === 'modern') {
      await client
        .request('tools/call', params, { id, signal: AbortSignal.timeout(100) })
        .then((answer) => this.#judge(answer, target, 'slow', mark))
        .catch((error) => {
          if (error.name !== 'TimeoutError' && error.name !== 'AbortError') throw error
        })
      return this.count('calls cancelled')
    }
    const answer = client.request('tools/call', params, { id })
    await sleep(100)
    await client.notify('notifications/cancelled', { requestId: id })
    const { result, error, status } = await answer
    if (result !== undefined) this.#judge({ result }, target, 'slow', mark)
    else if (status === undefined) this.#judgeError(error, target, 'slow')
    this.count('calls cancelled')
  }

  async #steps(client, target, mark) {
    const progressToken = `token ${mark}`
    let steps = 0
    const onMessage = ({ method, params }) => {
      if (method !== 'notifications/progress') return
      if (params.progressToken !== progressToken || params.message !== mark) {
        this.#fail(`progress of another call: ${JSON.stringify(params)} for ${mark}`)
      }
      steps++
    }
    const more = { _meta: { progressToken } }
    const result = await this.#call(client, target, 'steps', mark, { onMessage }, more)
    if (result !== undefined && steps !== 3) throw new Violation(`${steps} of 3 steps were told`)
  }

  async #ask(client, target, mark) {
    const word = `word of ${mark}`
    const content = { action: 'accept', content: { word } }
    const params = { name: `${target}__ask`, arguments: { mark } }
    const check = (asked) => {
      // The gateway says who asks.
      if (asked.message !== `[${target}] ${mark}`)
        this.#fail(`${mark} was asked ${JSON.stringify(asked)}`)
      this.count('questions')
    }
    const onMessage = ({ id, method, params: asked }) => {
      if (method !== 'elicitation/create') return
      check(asked)
      const fail = (what) => this.#fail(`the answer to a question of ${mark}: ${what}`)
      client.answer(id, content).then(
        ({ status }) => status === 202 || fail(`HTTP ${status}`),
        (error) => fail(error.message),
      )
    }
    let answer = await client.request('tools/call', params, { onMessage })
    const { inputRequests, requestState } = answer.result ?? {}
    if (inputRequests !== undefined) {
      const [[key, { params: asked }]] = Object.entries(inputRequests)
      check(asked)
      const again = { ...params, inputResponses: { [key]: content }, requestState }
      answer = await client.request('tools/call', again)
    }
    this.#judge(answer, target, 'ask', mark, word)
  }
}

/** What takes longer has been lost. */
async function withinPatience(work) {
  const patience = new AbortController()
  const late = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).then(() => {
    throw new Violation(
      `not answered in ${PATIENCE_MS / 1_000} s, until ${new Date().toISOString()}`,
    )
  })
  late.catch(() => undefined)
  await Promise.race([work, late]).finally(() => patience.abort())
}

/** A reader who does not for a while. */
function unread(response) {
  response.pause()
  setTimeout(() => response.resume(), 1_500)
}
