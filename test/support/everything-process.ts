/** `server-everything` over Streamable HTTP as a process of its own, to be killed and started again in its place. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.js'
import { send } from './raw-client.js'
import { waitUntil } from './wait-until.js'

const program = fileURLToPath(
  new URL(
    '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js',
    import.meta.url,
  ),
)

export class EverythingProcess {
  readonly #port: number
  #child: ChildProcess | undefined

  private constructor(port: number) {
    this.#port = port
  }

  static async start(): Promise<EverythingProcess> {
    const process = new EverythingProcess(await freePort())
    await process.start()
    return process
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`
  }

  async start(): Promise<void> {
    this.#child = spawn(process.execPath, [program, 'streamableHttp'], {
      env: { ...process.env, PORT: String(this.#port) },
      stdio: 'ignore',
    })
    const answers = () =>
      send('GET', this.url, undefined).then(
        () => true,
        () => false,
      )
    await waitUntil(answers, 'the server to listen')
  }

  /** `kill -9`, and waits for the end. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    this.#child = undefined
    await exited
  }

  /** SIGSTOP: connections are still taken, and nothing is answered. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}
