"""Who is signed in, by the claims of the provider; the page of those who are not, and the way out of those who are."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

LONGEST_SESSION_SECONDS = 12 * 3600.0
CHECK_SECONDS = 60.0

Claims = Mapping[str, object]


def person(claims: Claims, now_seconds: float) -> str | None:
    """Return who is signed in, by the name that is written to the history; None when nobody is, or for too long.

    What people may change of themselves comes last: a history is of no use if one can act under another's name.
    """
    issued = claims.get("iat")
    if claims.get("is_logged_in") is not True or not isinstance(issued, int | float):
        return None
    # Streamlit's own cookie is good for 30 days, whatever becomes of the person meanwhile.
    if now_seconds - issued > LONGEST_SESSION_SECONDS:
        return None
    email = claims.get("email") if claims.get("email_verified") is not False else None
    names = (email, claims.get("preferred_username"), claims.get("name"), claims.get("sub"))
    return next((name.strip() for name in names if isinstance(name, str) and name.strip()), None)


def ask(addresses: Sequence[str]) -> None:
    """Draw the page of who is not signed in, at each of the addresses: a link to an alert is not a missing page."""
    pages = [st.Page(_page, title="volwatch", url_path=path, default=not path) for path in addresses]
    st.navigation(pages, position="hidden").run()


def signed_in(who: str, still: Callable[[], str | None]) -> None:
    """Say who is signed in, with the way out; ask who signs in anew once it is too long ago."""

    @st.fragment(run_every=CHECK_SECONDS)
    def name() -> None:
        if still() != who:
            st.rerun()
        st.text(who, width="content")

    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        with st.container(width="content"):
            name()
        # Who has gone is gone before the page is drawn anew: nothing of it is left to refresh.
        st.button("Sign out", key="sign-out", type="tertiary", icon=":material/logout:", on_click=st.logout)


def _page() -> None:
    st.title("volwatch")
    st.text("Sign in to see the markets and their alerts.")
    st.button("Sign in", key="sign-in", type="primary", icon=":material/login:", on_click=st.login)
