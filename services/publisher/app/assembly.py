"""The use cases, put together from the ports they need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from services.platforms.ports import Publisher
from services.publisher.app.abandoning import Abandon
from services.publisher.app.changing import ChangePosts
from services.publisher.app.checking import Checker
from services.publisher.app.choosing import Chooser
from services.publisher.app.composing import Composer
from services.publisher.app.connecting import Connect
from services.publisher.app.delivering import Engine, FaultPoint, no_fault
from services.publisher.app.dispatching import Dispatcher
from services.publisher.app.drafting import Drafts
from services.publisher.app.importing import Importer
from services.publisher.app.pinning import ReleasePins
from services.publisher.app.posting import CreatePost
from services.publisher.app.reading import ReadPosts
from services.publisher.app.resolving import Resolver
from services.publisher.app.reviewing import Reviewer, ValidatePost
from services.publisher.app.sessions import Sessions
from services.publisher.app.steps import Steps
from services.publisher.app.verifying import VerifyAccount
from services.publisher.domain.delivery import Policy
from services.publisher.ports import (
    Accounts,
    Changes,
    Deliveries,
    Files,
    Imports,
    Leftovers,
    MediaSource,
    Meter,
    Pins,
    Posts,
    Variants,
    Vault,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside the application."""

    posts: Posts
    changes: Changes
    accounts: Accounts
    deliveries: Deliveries
    leftovers: Leftovers
    imports: Imports
    pins: Pins
    vault: Vault
    media: MediaSource
    variants: Variants
    files: Files
    publishers: Mapping[str, Publisher]
    aliases: Mapping[str, str]
    http: httpx.AsyncClient
    sandbox_url: str
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    random_bytes: Callable[[int], bytes]
    meter: Meter
    policy: Policy = field(default_factory=Policy)
    fault_point: FaultPoint = no_fault


class Application:
    """The stage's use cases over one world."""

    def __init__(self, world: World) -> None:
        sessions = Sessions(world.accounts, world.vault, world.sandbox_url)
        steps = Steps(world.deliveries, world.vault)
        self.publishing = frozenset(world.publishers)
        self.resolver = Resolver(world.accounts, self.publishing, world.aliases)
        reviewer = Reviewer(media=world.media, resolver=self.resolver, checker=Checker(world.publishers), now=world.now)
        composer = Composer(world.media, world.now)
        self.create_post = CreatePost(
            posts=world.posts, reviewer=reviewer, composer=composer, now=world.now, new_id=world.new_id
        )
        self.validate_post = ValidatePost(reviewer, world.posts, world.now)
        self.read_posts = ReadPosts(world.posts, world.now)
        self.change_posts = ChangePosts(
            changes=world.changes, read=self.read_posts, reviewer=reviewer, composer=composer, new_id=world.new_id
        )
        self.connect = Connect(
            accounts=world.accounts,
            sessions=sessions,
            vault=world.vault,
            publishers=world.publishers,
            http=world.http,
            now=world.now,
            new_id=world.new_id,
        )
        self.verify_account = VerifyAccount(world.accounts, sessions, world.publishers, world.http)
        self.engine = Engine(
            deliveries=world.deliveries,
            sessions=sessions,
            steps=steps,
            chooser=Chooser(world.media, world.variants, world.publishers),
            drafts=Drafts(world.files),
            publishers=world.publishers,
            http=world.http,
            now=world.now,
            random_bytes=world.random_bytes,
            policy=world.policy,
            meter=world.meter,
            fault_point=world.fault_point,
        )
        self.dispatcher = Dispatcher(world.deliveries, self.engine, lease_s=world.policy.lease_s)
        self.importer = Importer(world.imports, world.media, now=world.now)
        self.abandon = Abandon(world.leftovers, sessions, steps, world.publishers, world.http)
        self.release_pins = ReleasePins(world.pins, world.media)

    def wake(self) -> None:
        """A post was accepted or changed: something of it may be due."""
        self.importer.wake()
        self.dispatcher.wake()
