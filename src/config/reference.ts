/** The page `docs/configuration.md`, made of the JSON Schema: one section for each mapping, one row for each key. */
import type { JsonSchema } from './schema.js'
import { configJsonSchema } from './schema.js'

const HEAD = `<!-- Generated from the schemas by \`npm run docs\`. Change the descriptions there, not here. -->

# Configuration

The configuration is one file of YAML 1.2 or JSON, or a directory: all its \`*.yaml\`, \`*.yml\` and \`*.json\` in the
order of their names. Documents of one file, and files of one directory, are put together: \`targets\` and
\`mcpServers\` add up, any other section may stand in one of them only. Unknown keys are errors, and
\`mcp-junction validate\` tells every problem at once.

In every string, \`\${NAME}\` stands for an environment variable and \`\${file:PATH}\` for the text of a file, less the
line break at its end; \`$\${\` stands for \`\${\` itself. Paths are relative to the file they are written in.
Durations are written \`250ms\`, \`10s\`, \`5m\` or \`1h\`.

\`\`\`yaml
listen: { port: 8080 }
targets:
  - name: search
    mcp: { url: http://127.0.0.1:3001/mcp }
  - name: files
    stdio: { command: npx, args: [-y, '@modelcontextprotocol/server-filesystem', /srv] }
\`\`\`
`

interface Section {
  readonly name: string
  readonly level: number
  readonly schema: JsonSchema
  /** More than one where a mapping has several forms. */
  readonly forms: readonly JsonSchema[]
}

/** The whole page, ending with a line break. What is the same in several places is written out in the first. */
export function configReference(): string {
  const { properties } = configJsonSchema()
  const all = membersOf(properties).map(([key, schema]) => ({
    key,
    schema,
    sections: sectionsOf(key, schema, 2),
  }))
  const anchors = new Anchors(all.flatMap(({ sections }) => sections))
  const texts = all.flatMap(({ key, schema, sections }) => {
    if (sections.length === 0) return [settingText(key, schema, anchors)]
    return sections.filter((it) => anchors.isFirst(it)).map((it) => sectionText(it, anchors))
  })
  return [HEAD, ...texts].join('\n')
}

/** Where each mapping is described: those of one form, under keys of one name, in one place. */
class Anchors {
  readonly #first = new Map<string, string>()
  readonly #byName = new Map<string, string>()

  constructor(sections: readonly Section[]) {
    for (const { name, schema } of sections) {
      const form = `${name.split('.').at(-1)} ${JSON.stringify(schema)}`
      const first = this.#first.get(form) ?? name
      this.#first.set(form, first)
      this.#byName.set(name, first)
    }
  }

  isFirst({ name }: Section): boolean {
    return this.#byName.get(name) === name
  }

  of(name: string): string {
    return anchorOf(this.#byName.get(name) ?? name)
  }
}

/** A mapping, and those inside of it. */
function sectionsOf(name: string, schema: JsonSchema, level: number): Section[] {
  const [entry, entryName] = entryOf(schema, name)
  const forms = formsOf(entry)
  if (forms.length === 0) return []
  const inner = forms.flatMap(({ properties }) =>
    membersOf(properties).flatMap(([key, member]) =>
      sectionsOf(`${entryName}.${key}`, member, level + 1),
    ),
  )
  return [{ name: entryName, level, schema, forms }, ...inner]
}

/** What a list or a map holds, and how it is called; anything else is its own entry. */
function entryOf(schema: JsonSchema, name: string): readonly [JsonSchema, string] {
  const { items, properties, additionalProperties } = schema
  if (typeof items === 'object' && !Array.isArray(items)) return [items, `${name}[]`]
  if (properties === undefined && typeof additionalProperties === 'object') {
    return [additionalProperties, `${name}.<name>`]
  }
  return [schema, name]
}

function formsOf(schema: JsonSchema): readonly JsonSchema[] {
  return [schema, ...(schema.anyOf ?? [])].filter(({ properties }) => properties !== undefined)
}

function membersOf(properties: JsonSchema['properties'] = {}): [string, JsonSchema][] {
  return Object.entries(properties).flatMap(([key, schema]) =>
    typeof schema === 'object' ? [[key, schema]] : [],
  )
}

/** What stands at the top and is no mapping. */
function settingText(name: string, schema: JsonSchema, anchors: Anchors): string {
  const kind = `${typeOf(schema, name, anchors)}, ${defaultOf(schema)} where nothing is said.`
  return `## ${code(name)}\n\n${schema.description ?? ''}\n\nA ${kind}\n`
}

function sectionText({ name, level, schema, forms }: Section, anchors: Anchors): string {
  const tables = forms.map((form) => tableOf(name, form, anchors))
  return `${'#'.repeat(level)} \`${name}\`\n\n${schema.description ?? ''}\n\n${tables.join('\nor\n\n')}`
}

function tableOf(name: string, { properties, required }: JsonSchema, anchors: Anchors): string {
  const rows = membersOf(properties).map(([key, schema]) => [
    code(key),
    typeOf(schema, `${name}.${key}`, anchors),
    required?.includes(key) === true ? 'required' : defaultOf(schema),
    schema.description ?? '',
  ])
  return alignedTable([['Key', 'Type', 'Default', 'Meaning'], ...rows])
}

function defaultOf(schema: JsonSchema): string {
  if (schema.default === undefined || formsOf(schema).length > 0) return ''
  return code(JSON.stringify(schema.default))
}

function typeOf(schema: JsonSchema, name: string, anchors: Anchors): string {
  const [entry, entryName] = entryOf(schema, name)
  if (formsOf(entry).length > 0) return `[mapping](#${anchors.of(entryName)})`
  if (entry !== schema) {
    const kind = schema.type === 'array' ? 'list' : 'mapping'
    return `${kind} of ${typeOf(entry, entryName, anchors)}s`
  }
  const { title, enum: values, const: only, anyOf, type } = schema
  if (title !== undefined) return title
  if (values !== undefined) return values.map((value) => code(String(value))).join(', ')
  if (only !== undefined) return code(String(only))
  if (anyOf !== undefined) return anyOf.map((branch) => typeOf(branch, name, anchors)).join(' or ')
  return String(type)
}

function code(text: string): string {
  return `\`${text}\``
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^a-z0-9_ -]/g, '')
}

/** Aligned as prettier does it, so that formatting the page changes nothing. */
function alignedTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`
  const rule = line(widths.map((width) => '-'.repeat(width)))
  return cells.map(line).toSpliced(1, 0, rule).join('')
}
