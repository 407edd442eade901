"""The most a file may claim. Where a number has the same name as one of the decoder's, it is the decoder's.

Those stand in `services/transcoder/domain/ceilings.py`; a test holds the two files together. What only the walkers need
is chosen far above what phones, cameras, editors and messengers write: the confined decoder looks at every file again.
"""

MAX_IMAGE_PX = 50_000_000
MAX_IMAGE_EDGE_PX = 16_384
MAX_ANIMATION_FRAMES = 2_000
MAX_VIDEO_EDGE_PX = 4_096
MAX_DURATION_S = 3 * 3600.0
MAX_FPS = 240.0
MAX_STREAMS = 16
MAX_PACKETS = 2_000_000
MAX_AUDIO_RATE_HZ = 192_000
MAX_AUDIO_CHANNELS = 8

MAX_ANIMATION_PX = 1_000_000_000  # frames × canvas: 8 s of full HD at 60 frames a second
MAX_METADATA_BYTES = 4_000_000  # in all, as stored: depth maps in XMP and printers' colour profiles stay below
MAX_INFLATED_BYTES = 1 << 20  # of one compressed text or profile: Pillow takes no more
MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten
MAX_SCAN_PX = 2_000_000_000  # scans × pixels: each scan goes over the whole picture
MAX_ITEMS = 10_000  # of a HEIF file: tiles, previews, depth and gain maps
MAX_EXTENTS = 40_000
MAX_TILE_PX = 4 * MAX_IMAGE_PX  # of all tiles a HEIF grid refers to, the same one counted each time
MAX_EDITS = 10_000
MAX_DEPTH = 10  # boxes within boxes, as FFmpeg has it
MAX_DESCRIPTION_BYTES = 1 << 20  # of a track's codecs
FREE_PARTS = 10_000  # boxes, chunks, segments, elements: so many whatever the size,
BYTES_PER_PART = 20  # from there on one for so many bytes,
MAX_PARTS = 1_000_000  # and never more: three hours in fragments of an eighth of a second
