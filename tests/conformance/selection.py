"""A pytest plugin that runs only the tests that a list names, one a line as the runner's reports name them:
`package.module.Class::test`.

    pytest -p selection --only-listed FILE
"""

from pathlib import Path


def pytest_addoption(parser):
    parser.addoption("--only-listed", metavar="FILE", help="run only the tests that FILE names")


def pytest_addhooks(pluginmanager):
    # The packaged suite implements hooks of a report plugin that it does not need to be judged.
    pluginmanager.add_hookspecs(ReportHooks)


class ReportHooks:
    def pytest_html_report_title(self, report): ...

    def pytest_html_results_summary(self, prefix, summary, postfix): ...

    def pytest_html_results_table_header(self, cells): ...

    def pytest_html_results_table_row(self, report, cells): ...

    def pytest_html_results_table_html(self, report, data): ...


def listed_name(nodeid):
    path, _, rest = nodeid.partition("::")
    test, bracket, parameters = rest.partition("[")
    *classes, function = test.split("::")
    module = path.removesuffix(".py").replace("/", ".")
    return ".".join([module, *classes]) + "::" + function + bracket + parameters


def pytest_collection_modifyitems(config, items):
    path = config.getoption("--only-listed")
    if not path:
        return
    wanted = set(Path(path).read_text().splitlines())
    left_out = [item for item in items if listed_name(item.nodeid) not in wanted]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if listed_name(item.nodeid) in wanted]
