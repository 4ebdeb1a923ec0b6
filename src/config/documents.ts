/** YAML 1.2 text, and so JSON, made into trees. What YAML allows and a configuration should not hold is refused here. */
import type { Alias, Document, ParsedNode, YAMLError, YAMLMap, YAMLSeq } from 'yaml'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import type { ConfigFile } from './files.js'
import { wholeFile } from './files.js'
import type { Place, Problems } from './problems.js'
import { memberPath } from './problems.js'
import type { ConfigNode, ListNode, MapNode, ScalarNode } from './tree.js'

/** With what aliases repeat counted each time, so that a few lines cannot stand for billions of values. */
const MAX_VALUES = 100_000

/** The documents of one file that hold anything. */
export function parseDocuments(file: ConfigFile, problems: Problems): MapNode[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(file.text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: 'core',
    resolveKnownTags: false,
    stringKeys: true,
    // The tree's builder finds them itself, and then knows both places.
    uniqueKeys: false,
  })
  const written = documents.filter((document) => !isEmpty(document))
  if (written.length === 0) problems.add(wholeFile(file.path), 'the file is empty')
  return written.flatMap((document) => {
    const root = new TreeBuilder(file, lines, problems).build(document)
    return root === undefined ? [] : [root]
  })
}

function isEmpty({ contents, errors }: Document.Parsed): boolean {
  const hasValue = isScalar(contents) ? contents.value !== null : contents !== null
  return !hasValue && errors.length === 0
}

/** Makes the tree of one document. An alias shares the nodes of its anchor, so the tree is no larger than the text. */
class TreeBuilder {
  readonly #file: ConfigFile
  readonly #lines: LineCounter
  readonly #problems: Problems
  readonly #anchors = new Map<string, { readonly node: ConfigNode; readonly size: number }>()
  /** Values so far, those behind aliases included. */
  #size = 0

  constructor(file: ConfigFile, lines: LineCounter, problems: Problems) {
    this.#file = file
    this.#lines = lines
    this.#problems = problems
  }

  build(document: Document.Parsed): MapNode | undefined {
    if (this.#reportSyntax(document)) return undefined
    const root = this.#node(document.contents, this.#place(document.range[0], ''))
    if (this.#size > MAX_VALUES) {
      this.#problems.add(
        root.place,
        `more than ${MAX_VALUES} values, those behind aliases included`,
      )
    } else if (root.kind !== 'map') {
      this.#problems.add(root.place, 'expected a mapping of sections such as "targets"')
    } else {
      return root
    }
    return undefined
  }

  #reportSyntax({ errors, warnings }: Document.Parsed): boolean {
    let lastLine = 0
    for (const error of [...errors, ...warnings]) {
      const place = this.#place(error.pos[0], '')
      // What else is wrong with a line is mostly the parser's way back from the first error.
      if (place.line !== lastLine) this.#problems.add(place, this.#syntaxMessage(error))
      lastLine = place.line
    }
    return lastLine > 0
  }

  #syntaxMessage({ code, message, pos: [offset] }: YAMLError): string {
    if (this.#file.text.slice(offset - 1, offset + 1) === '${') {
      return 'inside { } and [ ], a "${…}" must stand in quotes'
    }
    return code === 'NON_STRING_KEY' ? 'a key must be plain text' : message
  }

  #node(node: ParsedNode | null, place: Place): ConfigNode {
    if (isAlias(node)) return this.#anchored(node.source, place)
    const sizeBefore = this.#size
    this.#size += 1
    const built = this.#built(node, place)
    if (node?.anchor !== undefined) {
      this.#anchors.set(node.anchor, { node: built, size: this.#size - sizeBefore })
    }
    return built
  }

  #built(node: Exclude<ParsedNode, Alias.Parsed> | null, place: Place): ConfigNode {
    if (isMap(node)) return this.#map(node, place)
    if (isSeq(node)) return this.#list(node, place)
    return scalar(node?.value ?? null, place)
  }

  #list(list: YAMLSeq.Parsed, place: Place): ListNode {
    const items = list.items.map((item, index) =>
      this.#node(item, this.#place(item.range[0], memberPath(place.path, index))),
    )
    return { kind: 'list', place, items }
  }

  #map(map: YAMLMap.Parsed, place: Place): MapNode {
    const members = new Map<string, ConfigNode>()
    for (const pair of map.items) {
      const key = String(isScalar(pair.key) ? pair.key.value : pair.key)
      const keyPlace = this.#place(pair.key.range[0], memberPath(place.path, key))
      const first = members.get(key)
      if (key === '__proto__') {
        this.#problems.add(keyPlace, 'this key is not allowed')
      } else if (first !== undefined) {
        this.#problems.add(keyPlace, `the key stands here twice, first in line ${first.place.line}`)
      } else {
        members.set(key, this.#node(pair.value, keyPlace))
      }
    }
    return { kind: 'map', place, members }
  }

  #anchored(name: string, place: Place): ConfigNode {
    const anchor = this.#anchors.get(name)
    if (anchor === undefined) {
      this.#problems.add(place, `the alias "*${name}" has no anchor before it`)
      return scalar(null, place)
    }
    this.#size += anchor.size
    return { ...anchor.node, place }
  }

  #place(offset: number, path: string): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.#file.path, line, column: col, path }
  }
}

function scalar(value: unknown, place: Place): ScalarNode {
  // The core schema has no scalars but these, and tags that would make others are refused.
  return { kind: 'scalar', place, value: value as ScalarNode['value'], substituted: false }
}
