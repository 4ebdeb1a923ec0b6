/**
 * `mcp-junction lock`: approves the definitions that the tools of guarded targets have now, in `junction.lock.json`
 * beside the configuration. Running gateways take it over as it is written.
 */
import { idOf } from '../../backends/index.js'
import type { Approvals, CatalogKeeper } from '../../federation/index.js'
import { fingerprintOf } from '../../federation/index.js'
import { loadConfig } from '../config/load.js'
import { lockFileOf, writeApprovals } from '../config/lock-file.js'
import { findConfig } from './find-config.js'
import { printable } from './printable.js'
import { startQuietly } from './quiet-gateway.js'
import { UsageError } from './usage.js'

export interface LockOptions {
  readonly config?: string | undefined
  /** Says what would change, and changes nothing. */
  readonly check?: boolean | undefined
}

type Fingerprints = Readonly<Record<string, string>>

/** Returns the exit code: 1 where a server could not be asked, or, with `check`, where something would change. */
export async function lock(options: LockOptions): Promise<number> {
  const path = findConfig(options.config)
  const config = await loadConfig(path)
  const isCheck = options.check === true
  const gateway = await startQuietly(config)
  // Who cannot be asked now, or is not there, was approved before and has not changed as far as anybody knows.
  const approvals: Record<string, Fingerprints> = { ...config.approvals }
  let isWhole = true
  let isChanged = false
  try {
    const guarded = gateway.keepers.filter((it) => it.backend.target.guard !== 'off')
    if (guarded.length === 0) throw new UsageError('no target has "guard: warn" or "guard: block"')
    for (const keeper of guarded) {
      const { target } = keeper.backend
      const name = idOf(target)
      const before = config.approvals[name] ?? config.approvals[target.name] ?? {}
      const now = offeredBy(keeper)
      if (now === undefined) {
        isWhole = false
        print(
          `${name}: not reachable (${keeper.unavailable?.reason ?? 'no lists'}); left as it was`,
        )
        continue
      }
      approvals[name] = now
      const changes = changesOf(before, now)
      isChanged ||= changes.length > 0
      print(`${name}: ${Object.keys(now).length} tools${changes.length === 0 ? ', unchanged' : ''}`)
      for (const change of changes) print(`  ${change}`)
    }
  } finally {
    await gateway.close()
  }
  if (!isCheck) await save(path, approvals)
  return isWhole && !(isCheck && isChanged) ? 0 : 1
}

async function save(configPath: string, approvals: Approvals): Promise<void> {
  const file = await lockFileOf(configPath)
  await writeApprovals(file, approvals)
  print(`written to ${file}`)
}

function offeredBy({ offered, unavailable }: CatalogKeeper): Fingerprints | undefined {
  if (offered === undefined || unavailable !== undefined) return undefined
  return Object.fromEntries(offered.items.tools.map(({ key, raw }) => [key, fingerprintOf(raw)]))
}

function changesOf(before: Fingerprints, now: Fingerprints): readonly string[] {
  const old = new Map(Object.entries(before))
  const current = new Map(Object.entries(now))
  const names = [...new Set([...old.keys(), ...current.keys()])].toSorted()
  return names.flatMap((name) => {
    // A server's own words are shown as JSON, so that they cannot move a terminal's cursor.
    const shown = JSON.stringify(name)
    if (!old.has(name)) return [`+ ${shown}`]
    if (!current.has(name)) return [`- ${shown}`]
    return old.get(name) === current.get(name) ? [] : [`~ ${shown}`]
  })
}

function print(line: string): void {
  process.stdout.write(`${printable(line)}\n`)
}
