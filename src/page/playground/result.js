/** What came of a call, as people read it. Pictures and sounds are named, not shown: they are others' too. */
import { h, theirs } from '../lib/dom.js'
import { json } from '../lib/parts.js'

export function resultOf(result) {
  const isWrong = result.isError === true
  return h(
    'div',
    {},
    h(
      'p',
      { class: isWrong ? 'bad' : 'good' },
      isWrong ? '✗ The tool says that it failed.' : '✓ It worked.',
    ),
    (result.content ?? []).map(contentOf),
    (result.messages ?? []).map(({ role, content }) => [
      h('h3', {}, theirs(role)),
      contentOf(content),
    ]),
    (result.contents ?? []).map((it) => [
      h('h3', {}, theirs(it.uri)),
      it.text === undefined ? binary(it) : h('pre', { tabindex: 0 }, theirs(it.text)),
    ]),
    result.structuredContent !== undefined && [
      h('h3', {}, 'Structured'),
      json(result.structuredContent, 'Structured content'),
    ],
  )
}

function contentOf(content) {
  switch (content?.type) {
    case 'text':
      return h('pre', { tabindex: 0 }, theirs(content.text))
    case 'image':
    case 'audio':
      return binary(content)
    case 'resource_link':
      return h('p', {}, 'Resource: ', theirs(content.uri, 'code'), ' ', theirs(content.name))
    default:
      return json(content, 'Content')
  }
}

function binary({ type = 'binary', mimeType, data, blob }) {
  const bytes = Math.floor(((data ?? blob ?? '').length * 3) / 4)
  return h(
    'p',
    { class: 'quiet' },
    theirs(`${type}, ${mimeType ?? 'of unknown type'}, about ${bytes} bytes`),
  )
}
