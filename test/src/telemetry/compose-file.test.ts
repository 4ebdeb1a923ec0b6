/** The compose file of examples/observability, as far as it can be read without Docker. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { OBSERVABILITY } from '../../support/example-dashboard.js'

interface Service {
  readonly image: string
  readonly build?: string
  readonly volumes?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly entrypoint?: readonly string[]
  readonly secrets?: readonly string[]
}

const read = (file: string): Promise<string> => readFile(join(OBSERVABILITY, file), 'utf8')
const isThere = (path: string): boolean => existsSync(join(OBSERVABILITY, path))

async function compose() {
  return parse(await read('docker-compose.yaml'), { merge: true }) as {
    services: Readonly<Record<string, Service>>
    secrets: object
  }
}

it('has images of one version each, and files that are there', async () => {
  const { services, secrets } = await compose()
  const names = ['gateway', 'servers', 'load', 'prometheus', 'grafana', 'collector', 'jaeger']
  expect(Object.keys(services)).toEqual(names)
  const all = Object.values(services)
  expect(all.filter((service) => !/:v?(\d+(\.\d+)+|example)$/.test(service.image))).toEqual([])
  const sources = all
    .flatMap((service) => service.volumes ?? [])
    .map((volume) => volume.split(':')[0])
  expect(sources.filter((source) => !isThere(source ?? '?'))).toEqual([])
  const builds = all.flatMap((service) => service.build ?? [])
  expect(builds.filter((build) => !isThere(`${build}/Dockerfile`))).toEqual([])
  const programs = all.flatMap((service) => service.entrypoint?.[1] ?? [])
  expect(programs).toHaveLength(2)
  expect(programs.filter((program) => !isThere(`../../${program}`))).toEqual([])
  const used = new Set(all.flatMap((service) => service.secrets ?? []))
  expect([...used]).toEqual(Object.keys(secrets))
})

it('gives the gateway what its configuration refers to', async () => {
  const { services } = await compose()
  const config = await read('junction.yaml')
  const referred = new Set([...config.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name]) => name))
  expect(new Set(Object.keys(services['gateway']?.environment ?? {}))).toEqual(referred)
})

it('speaks to services that there are, but for the one that is down', async () => {
  const { services } = await compose()
  const files = ['prometheus.yml', 'collector.yaml', 'grafana/provisioning/datasources.yaml']
  const texts = await Promise.all(['docker-compose.yaml', ...files].map(read))
  const hosts = texts.join('\n').matchAll(/(?:https?:\/\/|['" ])([a-z]+):\d{4}\b/g)
  const named = new Set([...hosts].map(([, host = '']) => host))
  expect([...named].filter((host) => services[host] === undefined)).toEqual(['archive'])
  expect(named.size).toBeGreaterThan(5)
})
