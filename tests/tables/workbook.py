"""A minimal workbook, written by hand."""

import zipfile
from xml.sax.saxutils import escape


def write_book(path, sheets):
    """A minimal .xlsx: texts inline, numbers as numbers, None for no cell."""
    kind = "http://schemas.openxmlformats.org/{}/2006/{}"
    office, relations = kind.format("officeDocument", "relationships"), kind.format("package", "relationships")
    main = kind.format("spreadsheetml", "main")
    names = [f"worksheets/sheet{i}.xml" for i in range(len(sheets))]
    listed = "".join(f'<sheet name="{escape(s)}" sheetId="{i + 1}" r:id="r{i}"/>' for i, s in enumerate(sheets))
    targets = "".join(f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="{s}"/>' for i, s in enumerate(names))
    sheet_type = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = "".join(f'<Override PartName="/xl/{s}" ContentType="{sheet_type}.worksheet+xml"/>' for s in names)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{kind.format("package", "content-types")}"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{sheet_type}.sheet.main+xml"/>{parts}</Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="r" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{relations}">{targets}</Relationships>')
        for name, rows in zip(names, sheets.values(), strict=True):
            lines = "".join(f'<row r="{i + 1}">{_cells(i, row)}</row>' for i, row in enumerate(rows))
            book.writestr(f"xl/{name}", f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>')


def _cells(i, row):
    return "".join(
        f'<c r="{chr(65 + j)}{i + 1}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        if isinstance(value, str)
        else f'<c r="{chr(65 + j)}{i + 1}"><v>{value}</v></c>'
        for j, value in enumerate(row)
        if value is not None
    )
