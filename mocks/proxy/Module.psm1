# One module of the host, under its own name: its cmdlets are those that the description has for it.
Import-Module (Join-Path (Split-Path $PSScriptRoot) 'HvctlEngine.psm1') -Global
$assembly = Get-HvctlAssembly '@NAME@'
if ($assembly) { Import-Module -Assembly $assembly }
$HvctlRun = Get-HvctlRun
if ($text = Get-HvctlFunction '@NAME@') { Invoke-Expression $text }
Export-ModuleMember -Cmdlet * -Function *
