/** Resources of other gateways as configuration files, alone and among other documents. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { load, problemsOf } from '../../support/config.js'

const KGATEWAY = new URL('../../../examples/kubernetes/kgateway/', import.meta.url)

const backend = (spec: string): string => `
apiVersion: gateway.kgateway.dev/v1alpha1
kind: Backend
metadata: { name: b, namespace: shop }
spec: ${spec}
`

describe('a file that is a Backend resource', () => {
  it('is kgateway’s own, as its guide has it', async () => {
    const text = await readFile(new URL('backend.yaml', KGATEWAY), 'utf8')
    expect(await load(text)).toMatchObject({
      targets: [],
      resources: [
        {
          kind: 'Backend',
          name: 'mcp-backend',
          namespace: undefined,
          targets: [
            {
              kind: 'selectors',
              selectors: { services: { matchLabels: { app: 'mcp-website-fetcher' } } },
            },
          ],
        },
      ],
    })
  })

  it('may stand among other documents of Kubernetes and of the configuration', async () => {
    const texts = await Promise.all(
      ['mcp-server.yaml', 'static.yaml'].map((it) => readFile(new URL(it, KGATEWAY), 'utf8')),
    )
    const { listen, resources } = await load([...texts, 'listen: { port: 1234 }'].join('\n---\n'))
    expect(listen.port).toBe(1234)
    expect(resources).toMatchObject([
      { name: 'mcp-static', targets: [{ kind: 'fixed', target: { name: 'fetcher' } }] },
      {
        name: 'mcp-federation',
        failureMode: 'open',
        prefixMode: 'always',
        targets: [
          { kind: 'selectors', name: 'fetchers' },
          { kind: 'reference', reference: { service: 'mcp-website-fetcher', port: 80 } },
        ],
      },
    ])
  })

  it('of another type than MCP is ignored', async () => {
    expect((await load(backend('{ type: AWS, aws: {} }'))).resources).toEqual([])
  })

  it.each([
    ['{ type: MCP }', 'spec', /spec.mcp/],
    ['{ type: MCP, mcp: { targets: [] } }', 'spec', /list of targets/],
    ['{ type: MCP, mcp: { targets: [{}] } }', 'spec.mcp.targets[0]', /either "static" or/],
    [
      '{ type: MCP, mcp: { targets: [{ name: a, static: { host: x, port: 0 } }] } }',
      'spec.mcp.targets[0]',
      /static.port: expected at least 1/,
    ],
    [
      '{ type: MCP, mcp: { targets: [{ name: A, static: { host: x, port: 1 } }] } }',
      'spec.mcp.targets[0]',
      /name: expected/,
    ],
    [
      '{ type: MCP, mcp: { targets: [{ name: a, static: { backendRef: { name: s, namespace: other }, port: 1 } }] } }',
      'spec.mcp.targets[0]',
      /own namespace/,
    ],
    [
      '{ type: MCP, mcp: { targets: [{ name: a, selectors: {} }] } }',
      'spec.mcp.targets[0]',
      /selector/,
    ],
    ['{ type: MCP, policies: { auth: {} }, mcp: {} }', 'spec', /policies is not supported/],
  ])('with the spec %s is refused, with its place', async (spec, path, message) => {
    const problems = await problemsOf(backend(spec))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(message)
    expect(problems[0]).toMatch(/^5:\d+ /)
    expect(problems[0]).toContain(` ${path}: `)
  })

  it('without a name is refused', async () => {
    const problems = await problemsOf(backend('{ type: MCP }').replace('name: b, ', ''))
    expect(problems).toEqual(['4:1 metadata.name: is missing'])
  })
})
