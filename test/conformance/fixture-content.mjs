// What the suite reads: prompts, resources and completions by the names it asks for.
import { McpError } from '@modelcontextprotocol/sdk/types.js'

const RESOURCE_NOT_FOUND = -32002

/** One red pixel. */
export const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC'
/** One silent sample. */
export const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA=='

export const text = (value) => ({ type: 'text', text: value })
export const image = { type: 'image', data: PNG, mimeType: 'image/png' }
export const embedded = (uri, mimeType, value) => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
})

const user = (content) => ({ role: 'user', content })
const required = (name, description) => ({ name, description, required: true })

export const prompts = [
  {
    name: 'test_simple_prompt',
    description: 'A prompt without arguments',
    messages: () => [user(text('This is a simple prompt for testing.'))],
  },
  {
    name: 'test_prompt_with_arguments',
    description: 'A prompt with two arguments',
    arguments: [required('arg1', 'The first'), required('arg2', 'The second')],
    messages: ({ arg1, arg2 }) => [
      user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
    ],
  },
  {
    name: 'test_prompt_with_embedded_resource',
    description: 'A prompt that embeds a resource',
    arguments: [required('resourceUri', 'The resource to embed')],
    messages: ({ resourceUri }) => [
      user(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
      user(text('Please process the embedded resource above.')),
    ],
  },
  {
    name: 'test_prompt_with_image',
    description: 'A prompt with an image',
    messages: () => [user(image), user(text('Please analyze the image above.'))],
  },
]

const contents = {
  'test://static-text': {
    mimeType: 'text/plain',
    text: 'This is the content of the static text resource.',
  },
  'test://static-binary': { mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched.' },
}

export const resources = Object.entries(contents).map(([uri, { mimeType }]) => ({
  uri,
  name: uri.slice('test://'.length),
  description: `The resource ${uri}`,
  mimeType,
}))

export const templates = [
  {
    uriTemplate: 'test://template/{id}/data',
    name: 'template',
    description: 'Data by its id',
    mimeType: 'application/json',
  },
]

export function readResource(uri) {
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1]
  const found =
    id === undefined
      ? contents[uri]
      : {
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        }
  if (found === undefined) throw new McpError(RESOURCE_NOT_FOUND, 'Resource not found', { uri })
  return { contents: [{ uri, ...found }] }
}

export function completions({ value }) {
  const values = ['paris', 'park', 'party', 'test'].filter((it) => it.startsWith(value))
  return { values, total: values.length, hasMore: false }
}
