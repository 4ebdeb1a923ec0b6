/** The admin listener's JSON, with the token that it wants. The token goes in a header and nowhere else. */
import { SseParser } from './sse.js'

const KEY = 'mcp-junction token'
const RETRY_MS = [500, 1_000, 2_000, 5_000]

/** The listener wants another token than was given. */
export class UnauthorizedError extends Error {}

export class Api {
  /** Kept as long as this tab is open. */
  get token() {
    return sessionStorage.getItem(KEY) ?? ''
  }

  set token(token) {
    if (token === '') sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, token)
  }

  /** @returns {Promise<any>} */
  async get(path) {
    return (await this.#ask(path, {})).json()
  }

  /** @param {AbortSignal} [signal] */
  post(path, body = {}, signal) {
    const headers = { 'content-type': 'application/json' }
    return this.#ask(path, { method: 'POST', headers, body: JSON.stringify(body), signal })
  }

  /**
   * Follows what happens, and comes back whenever the connection is lost, until the signal.
   * @param {(message: any) => void} onMessage
   * @param {(isConnected: boolean) => void} onConnection
   * @param {AbortSignal} signal
   */
  async follow(onMessage, onConnection, signal) {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const response = await this.#ask('events', { signal })
        onConnection(true)
        attempt = -1
        await readMessages(response, onMessage)
      } catch (error) {
        if (error instanceof UnauthorizedError) throw error
      }
      if (signal.aborted) return
      onConnection(false)
      const waitMs = RETRY_MS[Math.min(Math.max(attempt, 0), RETRY_MS.length - 1)]
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }

  /** @param {Omit<RequestInit, 'headers'> & { headers?: Record<string, string> }} options */
  async #ask(path, options) {
    const { token } = this
    const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) }
    const response = await fetch(`/api/v1/${path}`, { ...options, headers, cache: 'no-store' })
    if (response.status === 401) throw new UnauthorizedError('a token is needed')
    if (!response.ok) throw new Error(await reasonOf(response))
    return response
  }
}

/** Reads a response to its end, message by message. */
export async function readMessages(response, onMessage) {
  const parser = new SseParser((data) => onMessage(JSON.parse(data)))
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    parser.push(value)
  }
}

async function reasonOf(response) {
  const text = await response.text()
  try {
    const { error } = JSON.parse(text)
    return typeof error === 'string' ? error : error.message
  } catch {
    return `${response.status} ${text.slice(0, 200)}`
  }
}
