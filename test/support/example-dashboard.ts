/** The parts of examples/observability as tests read them: panels and their queries, rules, files of compose. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

export const OBSERVABILITY = fileURLToPath(
  new URL('../../examples/observability/', import.meta.url),
)

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly {
    readonly expr: string
    readonly legendFormat: string
    readonly datasource: { readonly uid: string }
  }[]
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } }
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly schemaVersion: number
  readonly templating: {
    readonly list: readonly {
      readonly name: string
      readonly type: string
      readonly definition?: string
    }[]
  }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
}

export interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export async function readDashboard(): Promise<Dashboard> {
  return JSON.parse(await readFile(`${OBSERVABILITY}dashboard.json`, 'utf8')) as Dashboard
}

export async function readRules(): Promise<readonly Rule[]> {
  const { groups } = parse(await readFile(`${OBSERVABILITY}alerts.yaml`, 'utf8')) as {
    groups: { rules: Rule[] }[]
  }
  return groups.flatMap((it) => it.rules)
}

/** As Grafana asks it where all variables are on "All". */
export function asked(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '15m')
    .replaceAll(/\$(target|method|tool|principal)\b/g, '.*')
}

/** The names of metrics in a query: words that are no functions, labels or words of the language. */
export function metricsIn(expr: string): readonly string[] {
  const bare = expr
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '')
  const words = bare.matchAll(/[a-z_][a-z0-9_:]*(?!\w*\s*\()\b/gi)
  return [...words].map(([it]) => it).filter((it) => it.includes('_') || it === 'up')
}
