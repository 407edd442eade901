/** Client of the letmepost Media API: upload a photo or video once, post it everywhere. */

export { Letmepost } from './client.js'
export type { LetmepostOptions } from './client.js'
export { LetmepostConnectionError, LetmepostError, LetmepostTimeoutError } from './errors.js'
export type { FieldError } from './errors.js'
export type { FileInput } from './files.js'
export type { RequestOptions } from './http.js'
export type { ListMedia, UploadOptions } from './media.js'
export type { Progress, Session } from './sessions.js'
export type { ListPosts } from './posts.js'
export type { WaitOptions } from './waiting.js'
export type * from './types.js'
