/** The manifests of examples/kubernetes as objects, and the Helm chart as it is rendered. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import type { JsonObject } from '../../backends/index.js'

const run = promisify(execFile)
const EXAMPLES = fileURLToPath(new URL('../../examples/kubernetes/', import.meta.url))
const RENDERER = fileURLToPath(new URL('../kubernetes/chart/render.go', import.meta.url))
/** Where Debian's packages put Go and its libraries. */
const GO = '/usr/lib/go-1.19/bin/go'
const GO_LIBRARIES = '/usr/share/gocode'

export interface Manifest extends JsonObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { name: string; labels?: Record<string, string> } & JsonObject
}

function objectsIn(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0]
    const object = document.toJS() as Manifest | null
    return object === null ? [] : [object]
  })
}

/** All objects of a file, by its path below examples/kubernetes. */
export async function objectsOf(path: string): Promise<Manifest[]> {
  return objectsIn(await readFile(join(EXAMPLES, path), 'utf8'))
}

/** The only object of a file. */
export async function objectOf(path: string): Promise<Manifest> {
  const [object] = await objectsOf(path)
  if (object === undefined) throw new Error(`${path} is empty`)
  return object
}

export async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(join(EXAMPLES, folder))).toSorted()
}

export const NO_RENDERER = existsSync(`${GO_LIBRARIES}/src/github.com/Masterminds/sprig`)
  ? undefined
  : 'no renderer: apt-get install golang-1.19-go golang-github-masterminds-sprig-dev golang-gopkg-yaml.v2-dev'

/** What the chart makes of these values. */
export async function renderChart(values: JsonObject = {}): Promise<Manifest[]> {
  const folder = await mkdtemp(join(tmpdir(), 'chart-'))
  try {
    const file = join(folder, 'values.yaml')
    await writeFile(file, JSON.stringify(values))
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      GO111MODULE: 'off',
      GOPATH: GO_LIBRARIES,
      GOCACHE: join(tmpdir(), 'mcp-junction-go-cache'),
    }
    const { stdout } = await run(GO, ['run', RENDERER, join(EXAMPLES, 'chart'), file], { env })
    return objectsIn(stdout)
  } finally {
    await rm(folder, { recursive: true })
  }
}
