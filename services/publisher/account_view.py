"""An account as the public message."""

from mediaapi.v1 import account_pb2

from services.publisher.domain.account import Account


def message(account: Account) -> account_pb2.Account:
    """The public message of an account; nothing of its credentials."""
    found = account_pb2.Account(
        id=account.account_id,
        platform=account.platform,
        display_name=account.display_name,
        status=account_pb2.AccountStatus.Value(f"ACCOUNT_STATUS_{account.status.name}"),
        service_url=account.service_url,
    )
    found.created_at.FromDatetime(account.created_at)
    return found
