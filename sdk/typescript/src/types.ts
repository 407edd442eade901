/** What goes over the wire, as proto/mediaapi/v1 declares it. Times are RFC 3339 UTC, sizes bytes. */

export type MediaKind = 'image' | 'video'
export type MediaStatus = 'receiving' | 'scanning' | 'processing' | 'ready' | 'rejected' | 'failed'
export type VariantStatus = 'pending' | 'processing' | 'ready' | 'rejected' | 'failed'
export type VariantHow = 'as_is' | 'strip' | 'remux' | 'encode'

export interface Media {
  id: string
  kind: MediaKind
  status: MediaStatus
  filename: string
  altText: string | null
  /** By magic bytes. */
  contentType: string
  sizeBytes: number
  /** Of the bytes as uploaded, lower-case hex. */
  sha256: string | null
  /** Pixels, as displayed. */
  width: number | null
  height: number | null
  durationSeconds: number | null
  hasAudio: boolean | null
  /** The display rendition: oriented, without metadata. */
  url: string | null
  /** A video's cover frame. */
  posterUrl: string | null
  thumbhash: string | null
  variants: Variant[]
  /** By platform. */
  fit: Record<string, Fit>
  error: MediaError | null
  createdAt: string
  expiresAt: string
}

export interface MediaError {
  code: string
  message: string
  /** The scanner's name for it. */
  threat: string | null
}

export interface Variant {
  preset: string
  platforms: string[]
  status: VariantStatus
  how: VariantHow | null
  url: string | null
  contentType: string | null
  sizeBytes: number | null
  width: number | null
  height: number | null
  durationSeconds: number | null
  /** Stable code, where it is rejected or failed. */
  reason: string | null
}

export interface Fit {
  ok: boolean
  preset: string | null
  reason: string | null
  detail: string | null
}

export type PostStatus = 'scheduled' | 'publishing' | 'published' | 'partially_published' | 'failed' | 'canceled'
export type TargetStatus =
  | 'scheduled'
  | 'waiting_media'
  | 'queued'
  | 'publishing'
  | 'published'
  | 'failed'
  | 'unconfirmed'
  | 'canceled'

export interface Post {
  id: string
  status: PostStatus
  text: string
  media: PostMedia[]
  scheduledAt: string | null
  createdAt: string
  targets: PostTarget[]
}

export interface PostMedia {
  mediaId: string
  altText: string | null
}

export interface PostTarget {
  platform: string
  accountId: string
  status: TargetStatus
  /** The preset that was sent. */
  variant: string | null
  platformPostId: string | null
  url: string | null
  publishedAt: string | null
  error: { code: string; message: string } | null
  attempts: number
}

export interface CreatePost {
  text?: string
  /** 1 to 25. */
  targets: CreatePostTarget[]
  media?: CreatePostMedia[]
  scheduledAt?: string
}

/** `accountId`, `platform`, or both; a platform alone needs exactly one connected account. */
export interface CreatePostTarget {
  platform?: string
  accountId?: string
  /** Instead of the post's. */
  text?: string
  /** Instead of the post's. */
  media?: CreatePostMedia[]
  /** The platform's own: boardId, link, title, … */
  options?: Record<string, unknown>
}

/** Media uploaded before, or an image of at most 1,000,000 bytes in base64. */
export type CreatePostMedia =
  | { mediaId: string; altText?: string }
  | { data: string; kind?: 'image'; altText?: string }

export interface Page<T> {
  data: T[]
  nextCursor: string | null
}
