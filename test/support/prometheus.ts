/** A real Prometheus, asked over its API. Where `prometheus` is not installed, the tests are skipped and say so. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe } from 'vitest'
import { get } from './raw-client.js'

const HAS_PROMETHEUS = ['prometheus', 'promtool'].every((program) =>
  (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program))),
)

/** Tests against a real Prometheus; where there is none, they are skipped, and their title says why. */
export function describeWithPrometheus(title: string, body: () => void): void {
  const titleNow = HAS_PROMETHEUS ? title : `${title} (skipped: apt-get install prometheus)`
  // oxlint-disable-next-line vitest/valid-title -- it is the caller's
  describe.skipIf(!HAS_PROMETHEUS)(titleNow, () => {
    body()
  })
}

/** Runs `promtool`. Rejects with what it has to say where it finds fault. */
export async function promtool(...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)('promtool', [...args])).stdout
}

export class Prometheus {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** The values of an instant query, less those that are no numbers. Rejects where it cannot be asked. */
  async values(expr: string): Promise<readonly number[]> {
    const { resultType, result } = (await this.api(`query?query=${encodeURIComponent(expr)}`)) as {
      resultType: string
      result: readonly { value: readonly [number, string] }[] | readonly [number, string]
    }
    const texts =
      resultType === 'scalar'
        ? [(result as readonly [number, string])[1]]
        : (result as readonly { value: readonly [number, string] }[]).map((it) => it.value[1])
    return texts.map(Number).filter((it) => !Number.isNaN(it))
  }

  /** What `/api/v1/…` answers. */
  async api(path: string): Promise<unknown> {
    const { status, text } = await get(`${this.#url}/api/v1/${path}`)
    if (status !== 200) throw new Error(`${decodeURIComponent(path)}: ${text}`)
    return (JSON.parse(text) as { data: unknown }).data
  }
}
