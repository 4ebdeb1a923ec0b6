/** Ada and Bob, known by their API keys, and settings that let in nobody else. */
export const ADA = { 'x-api-key': 'the-key-of-ada-0001' }
export const BOB = { 'x-api-key': 'the-key-of-bob-0001' }

export const authentication = {
  mode: 'strict',
  apiKeys: [
    { name: 'ada', key: ADA['x-api-key'] },
    { name: 'bob', key: BOB['x-api-key'] },
  ],
}
