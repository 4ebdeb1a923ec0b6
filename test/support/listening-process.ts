/** A server program as a process of its own, which prints `listening URL` when it is ready. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ListeningProcess extends AsyncDisposable {
  readonly url: string
  /** What it has printed so far. */
  readonly lines: readonly string[]
  /** SIGSTOP: connections are still taken, and nothing is answered. */
  freeze(): void
  thaw(): void
  /** `kill -9`, and waits for the end. */
  kill(): Promise<void>
}

export async function startListening(
  program: string,
  ...args: readonly string[]
): Promise<ListeningProcess> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      const [, found] = /^listening (\S+)$/.exec(line) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`${program} exited with ${code}`)))
  })
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  return {
    url,
    lines,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
