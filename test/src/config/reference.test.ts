import { readFile, writeFile } from 'node:fs/promises'
import { format, resolveConfig } from 'prettier'
import { describe, expect, it } from 'vitest'
import { configReference } from '../../../src/config/reference.js'
import type { JsonSchema } from '../../../src/config/schema.js'
import { configJsonSchema } from '../../../src/config/schema.js'

const PAGE = new URL('../../../docs/configuration.md', import.meta.url)

describe('docs/configuration.md', () => {
  it('says what the schemas say', async () => {
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(PAGE, configReference())
    expect(await readFile(PAGE, 'utf8'), 'run `npm run docs`').toBe(configReference())
  })

  it('stays as it is when the project is formatted', async () => {
    const options = await resolveConfig(PAGE)
    const formatted = await format(configReference(), { ...options, parser: 'markdown' })
    expect(configReference()).toBe(formatted)
  })
})

describe('the JSON Schema', () => {
  it('describes every key', () => {
    const undescribed: string[] = []
    const visit = (schema: JsonSchema | boolean | undefined, path: string) => {
      if (typeof schema !== 'object') return
      for (const [key, member] of Object.entries(schema.properties ?? {})) {
        const described = typeof member === 'object' && member.description !== undefined
        if (!described) undescribed.push(`${path}.${key}`)
        visit(member, `${path}.${key}`)
      }
      for (const branch of schema.anyOf ?? []) visit(branch, path)
      visit(schema.additionalProperties, path)
      if (!Array.isArray(schema.items)) visit(schema.items, path)
    }
    visit(configJsonSchema(), '')
    expect(undescribed).toEqual([])
  })

  it('has a title, its dialect, and all the sections, none of them required', () => {
    const { $schema, title, properties, required, additionalProperties } = configJsonSchema()
    expect($schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(title).toBe('Configuration of mcp-junction')
    expect(Object.keys(properties ?? {})).toEqual([
      'listen',
      'admin',
      'workers',
      'targets',
      'mcpServers',
      'authentication',
      'authorization',
      'attributes',
      'limits',
      'store',
      'kubernetes',
      'federation',
      'sessions',
      'telemetry',
    ])
    expect(required).toBeUndefined()
    expect(additionalProperties).toBe(false)
  })

  it('lets a reference stand for any string that has a pattern', () => {
    const patterns = [
      ...JSON.stringify(configJsonSchema()).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g),
    ]
    expect(patterns.length).toBeGreaterThan(0)
    for (const [, pattern = ''] of patterns) {
      expect(new RegExp(JSON.parse(pattern) as string).test('${NAME}')).toBe(true)
    }
  })
})
