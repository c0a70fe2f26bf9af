"""stub"""
import click
log_command = click.Command("log")
