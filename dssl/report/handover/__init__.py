"""What is handed to biologists: tables, a workbook, structures, and AnnData that their tools open."""
