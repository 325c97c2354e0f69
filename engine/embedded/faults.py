"""What is raised when a service that the engine needs cannot be had."""


class ServiceMissing(Exception):
    """A service cannot be had: not installed, not startable, or kept by someone else. The CLI exits with 3.

    ``service`` names it, ``what_to_do`` tells an operator the next step in a sentence; neither holds secrets.
    """

    def __init__(self, service: str, problem: str, what_to_do: str) -> None:
        super().__init__(f"{service}: {problem}. {what_to_do}")
        self.service = service
        self.problem = problem
        self.what_to_do = what_to_do
