/** The dashboard and the rules, on a real Prometheus that scrapes the example as `npm run example:observability` starts it. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { asked, OBSERVABILITY, readDashboard, readRules } from '../support/example-dashboard.js'
import { describeWithPrometheus, Prometheus, promtool } from '../support/prometheus.js'
import { get } from '../support/raw-client.js'
import { waitUntil } from '../support/wait-until.js'

/** Traffic is as it comes: what is rare takes a while. */
const PATIENCE_MS = 90_000

async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describeWithPrometheus('the example, scraped by a real Prometheus', () => {
  let child: ChildProcess
  let said = ''
  let prometheus: Prometheus
  const where = (name: string) =>
    new RegExp(`^${name} +(\\S+)`, 'm').exec(said)?.[1] ?? `no ${name}: ${said}`
  const has = async (expr: string) => (await prometheus.values(expr)).length > 0

  /** Waits until each of these has an answer. Returns those that never had one. */
  const unanswered = async (exprs: Iterable<string>): Promise<readonly string[]> => {
    const open = new Set(exprs)
    const ask = async (): Promise<boolean> => {
      for (const expr of open) if (await has(expr)) open.delete(expr)
      return open.size === 0
    }
    await waitUntil(ask, 'queries', PATIENCE_MS).catch(() => undefined)
    return [...open]
  }

  beforeAll(async () => {
    child = spawn(process.execPath, [join(OBSERVABILITY, 'start.mjs'), '--interval', '1s'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text))
    const isUp = () => said.includes('Ctrl-C') || child.exitCode !== null
    await waitUntil(isUp, 'the example to start', 60_000)
    prometheus = new Prometheus(where('prometheus'))
    // Limits hold as long as there is no store; with one that does not answer, everything is let in.
    const isLimited = () => has('ALERTS{alertname="McpLimitsHit"}')
    await waitUntil(isLimited, 'the alert of limited calls', PATIENCE_MS)
    const folder = dirname(where('configuration'))
    const server = `https://127.0.0.1:${await deadPort()}`
    const kubeconfig = {
      'current-context': 'away',
      clusters: [{ name: 'away', cluster: { server } }],
      users: [{ name: 'away', user: {} }],
      contexts: [{ name: 'away', context: { cluster: 'away', user: 'away' } }],
    }
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig))
    const added = {
      store: { redis: { url: `redis://127.0.0.1:${await deadPort()}` } },
      kubernetes: { kubeconfig: '../kubeconfig' },
      targets: [{ selectors: { serviceSelector: {} } }],
    }
    await writeFile(join(folder, 'config', 'more.json'), JSON.stringify(added))
    const isApplied = () => has('mcp_junction_limit_store_up == 0')
    await waitUntil(isApplied, 'the configuration to be applied', PATIENCE_MS)
    await writeFile(join(folder, 'config', 'wrong.yaml'), 'limitz: []\n')
    await waitUntil(() => has('mcp_junction_config_current == 0'), 'the refusal', PATIENCE_MS)
  }, 300_000)

  afterAll(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })

  it(
    'has an answer to every query of every panel',
    async () => {
      const { panels, annotations } = await readDashboard()
      const targets = panels.flatMap((panel) => panel.targets ?? [])
      expect(targets.length).toBeGreaterThan(50)
      const exprs = [...targets, ...annotations.list].map((target) => asked(target.expr))
      expect(await unanswered(exprs)).toEqual([])
    },
    PATIENCE_MS * 2,
  )

  it(
    'has something to choose for every variable',
    async () => {
      const { templating } = await readDashboard()
      const queries = templating.list.flatMap(({ definition }) => definition ?? [])
      const exprs = queries.map((query) =>
        query.replace(/^label_values\((\w+), (\w+)\)$/, '$1{$2!=""}'),
      )
      expect(await unanswered(exprs)).toEqual([])
    },
    PATIENCE_MS * 2,
  )

  it(
    'has an answer to both sides of what every rule compares',
    async () => {
      const rules = await readRules()
      // Each alert compares once: both sides are asked.
      const sides = rules.flatMap(({ alert, expr }) =>
        alert === undefined ? [expr] : expr.split(/ (?:==|>|<) /),
      )
      expect(sides.length).toBe(rules.length + rules.filter((rule) => rule.alert).length)
      expect(await unanswered(sides)).toEqual([])
      const { groups } = (await prometheus.api('rules')) as {
        groups: { rules: { name: string; health: string; lastError?: string }[] }[]
      }
      const evaluated = groups.flatMap((group) => group.rules)
      expect(evaluated.length).toBe(rules.length)
      expect(evaluated.filter((rule) => rule.health === 'err')).toEqual([])
    },
    PATIENCE_MS * 2,
  )

  it(
    'raises the other alerts that the traffic deserves, and not those that it does not',
    async () => {
      const raised = async (): Promise<Set<string>> => {
        const { alerts } = (await prometheus.api('alerts')) as {
          alerts: { labels: { alertname: string } }[]
        }
        return new Set(alerts.map((alert) => alert.labels.alertname))
      }
      const deserved = [
        'McpTargetDown',
        'McpTargetErrors',
        'McpCatalogNotRefreshed',
        'McpUnapprovedTools',
        'McpSourceStale',
        'McpErrors',
        'McpLimitStoreDown',
        'McpConfigRefused',
      ]
      const open = async () => {
        const now = await raised()
        return deserved.filter((name) => !now.has(name))
      }
      await waitUntil(async () => (await open()).length === 0, 'the alerts', PATIENCE_MS).catch(
        () => undefined,
      )
      expect(await open()).toEqual([])
      const now = await raised()
      const undeserved = ['McpGatewayDown', 'McpSlow', 'McpTargetSlow']
      expect(undeserved.filter((name) => now.has(name))).toEqual([])
    },
    PATIENCE_MS * 2,
  )

  it('says whose time a call took: in Prometheus and in a trace', async () => {
    // Servers of the example take more than 5 ms for a call, and the gateway has to be beneath that.
    const mean = (metric: string) =>
      `sum(rate(${metric}_sum{gen_ai_tool_name="search__summarize"}[5m]))` +
      ` / sum(rate(${metric}_count{gen_ai_tool_name="search__summarize"}[5m]))`
    const [whole = 0] = await prometheus.values(mean('mcp_server_operation_duration_seconds'))
    const [own = 1] = await prometheus.values(mean('mcp_junction_gateway_duration_seconds'))
    expect(whole).toBeGreaterThan(0.08)
    expect(own).toBeLessThan(whole / 2)
    const { text } = await get(where('traces'))
    const [, gateway, server] =
      /tools\/call search__\w+ {2}(?:research \(ada\)|ci-bot \(ci\)) {2}ok {2}gateway ([\d.]+) ms, server ([\d.]+) ms/.exec(
        text,
      ) ?? []
    expect(Number(gateway)).toBeLessThan(Number(server))
    expect(text).toMatch(/█+ +[\d.]+ ms {2}search: tools\/call/)
  })

  it('has files that promtool finds no fault with', async () => {
    const folder = dirname(where('configuration'))
    expect(await promtool('check', 'rules', join(OBSERVABILITY, 'alerts.yaml'))).toContain(
      'SUCCESS',
    )
    expect(await promtool('check', 'config', join(folder, 'prometheus.yml'))).toContain('SUCCESS')
    // The token of compose is not here; all else is.
    const copy = join(folder, 'compose.yml')
    await cp(join(OBSERVABILITY, 'prometheus.yml'), copy)
    expect(await promtool('check', 'config', '--syntax-only', copy)).toContain('SUCCESS')
    await rm(copy)
  })

  it('ends with all that it started', async () => {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await exited
    for (const name of ['page', 'prometheus', 'traces']) {
      await expect(fetch(where(name))).rejects.toThrow('fetch failed')
    }
    expect(existsSync(where('configuration'))).toBe(false)
  }, 30_000)
})
