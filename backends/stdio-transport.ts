/**
 * A server as a child process, spoken to over stdin and stdout. The SDK's transport owns framing, the child's
 * small environment and the polite end (stdin, SIGTERM, SIGKILL); here is what it leaves to us: the
 * process group, so that what the child itself started goes too, and what to do with noise and stderr.
 */
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { Readable } from 'node:stream'
import type { Endpoint } from './endpoint.js'
import { BackendOverloadedError, BackendUnreachableError, reasonOf } from './errors.js'
import { findCommand } from './find-command.js'
import { guardProcess, killGroup, ownGroupCommand } from './orphan-guard.js'
import { readLines } from './stderr-lines.js'
import type { Target } from './target.js'
import type { Channel, Exchange, Transport, Sent } from './transport.js'
import { SETTLED } from './transport.js'
import {
  ErrorCode,
  InvalidMessageError,
  JsonRpcError,
  messageFromValue,
  whyNotJson,
} from './wire/json-rpc.js'
import type { JsonValue } from './wire/raw-json.js'

/** What may wait for a child to read it. One that does not is sent no more. */
const MAX_WAITING_CHARS = 64 * 1024 * 1024

/** Longer lines would be held in memory several times over; such a child is ended. */
const MAX_LINE_BYTES = 64 * 1024 * 1024

export type StdioEndpoint = Extract<Endpoint, { kind: 'stdio' }>

/**
 * Starts the child.
 * @throws BackendUnreachableError where the command cannot be found or started.
 */
export async function openStdioTransport(
  target: Target,
  endpoint: StdioEndpoint,
  channel: Channel,
  onStderr: (line: string) => void,
): Promise<Transport> {
  const fail = (why: string, cause?: unknown) =>
    new BackendUnreachableError(target.name, why, false, cause)
  const program = await findCommand(endpoint.command, endpoint.cwd, endpoint.env['PATH'])
  if (program === undefined) throw fail(`the command "${endpoint.command}" was not found`)
  const [command, ...args] = ownGroupCommand(program, endpoint.args)

  const child = new StdioClientTransport({
    command,
    args,
    env: { ...endpoint.env },
    stderr: 'pipe',
    maxBufferSize: MAX_LINE_BYTES,
    ...(endpoint.cwd === undefined ? {} : { cwd: endpoint.cwd }),
  })
  if (child.stderr instanceof Readable) readLines(child.stderr, onStderr)
  const transport = new StdioTransport(target, child, channel)
  try {
    await child.start()
  } catch (cause) {
    throw fail(`the command "${endpoint.command}" did not start: ${reasonOf(cause)}`, cause)
  }
  transport.started()
  return transport
}

/** Messages that the SDK is given at a time: it listens for room once for each, and Node warns of more than ten. */
const MAX_SENDING = 8

class StdioTransport implements Transport {
  readonly isShared = true
  /** A child process is reached by nobody else. */
  readonly sessionId = undefined
  readonly #target: Target
  readonly #child: StdioClientTransport
  readonly #channel: Channel
  #release: (() => void) | undefined
  #pid: number | undefined
  #sending = 0
  /** Messages that wait for their turn. */
  readonly #queue: (() => void)[] = []
  #gone = false
  #waitingChars = 0
  #closing: Promise<void> | undefined

  constructor(target: Target, child: StdioClientTransport, channel: Channel) {
    this.#target = target
    this.#child = child
    this.#channel = channel
    child.onmessage = (message) => this.#receive(message)
    child.onerror = (error) => {
      if (this.#closing === undefined) channel.onNoise(`stdout: ${whyNotJson(error).slice(0, 200)}`)
    }
    child.onclose = () => this.#exited()
  }

  /** From now on the child cannot outlive us. */
  started(): void {
    this.#pid = this.#child.pid ?? undefined
    if (this.#pid !== undefined) this.#release = guardProcess(this.#pid)
  }

  send(text: string, exchange: Exchange): Sent {
    if (this.#gone) {
      exchange.onError(this.#unreachable(false))
      return SETTLED
    }
    if (this.#waitingChars > MAX_WAITING_CHARS) {
      const message = 'it does not read what it is sent'
      exchange.onError(new BackendOverloadedError(this.#target.name, message))
      return SETTLED
    }
    this.#write(text).catch((cause: unknown) => {
      exchange.onError(new BackendUnreachableError(this.#target.name, reasonOf(cause), true, cause))
    })
    return SETTLED
  }

  async notify(text: string): Promise<void> {
    // Where it cannot be written, the end of the process says so to everybody.
    if (this.#gone || this.#waitingChars > MAX_WAITING_CHARS) return
    await this.#write(text).catch(() => undefined)
  }

  opened(): void {}

  async listen(): Promise<void> {}

  close(): Promise<void> {
    this.#closing ??= this.#child.close().then(() => this.#sweep())
    return this.#closing
  }

  async #write(text: string): Promise<void> {
    this.#waitingChars += text.length
    if (this.#sending < MAX_SENDING) this.#sending++
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    try {
      // The SDK prints the message itself, so it wants the parsed form.
      await this.#child.send(JSON.parse(text) as JSONRPCMessage)
    } finally {
      this.#waitingChars -= text.length
      // Whoever waits takes this place, so that nobody comes before them.
      const next = this.#queue.shift()
      if (next === undefined) this.#sending--
      else next()
    }
  }

  #receive(value: JSONRPCMessage): void {
    try {
      this.#channel.onMessage(messageFromValue(value as unknown as JsonValue))
    } catch (error) {
      if (!(error instanceof InvalidMessageError)) throw error
      this.#channel.onNoise(`stdout: ${error.message}`)
      const { id, message } = error
      if (id === undefined || 'method' in value) return
      // Whoever waits for this answer waits for no other.
      const why = `the server sent what is no JSON-RPC message: ${message}`
      const answer = new JsonRpcError(ErrorCode.InternalError, why)
      this.#channel.onMessage({ kind: 'error', id, error: answer })
    }
  }

  #exited(): void {
    this.#gone = true
    this.#sweep()
    if (this.#closing === undefined) this.#channel.onClose(this.#unreachable(true))
  }

  /** What the child started and left behind (`npx`, `sh -c`) goes with it. */
  #sweep(): void {
    if (this.#pid === undefined) return
    killGroup(this.#pid)
    this.#release?.()
    this.#pid = undefined
  }

  #unreachable(sent: boolean): BackendUnreachableError {
    return new BackendUnreachableError(this.#target.name, 'the process has exited', sent)
  }
}
